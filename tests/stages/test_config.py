"""What a configuration may cost: expansions, inclusions and lines without end are refused."""
from __future__ import annotations

import pytest

from kpki.errors import ConfigurationError
from kpki.stages.config import parse_config


def values(text: str) -> dict[str, str]:
    return {item.key: item.value for item in parse_config(text).settings("default") or ()}


@pytest.mark.parametrize(("text", "value"), [
    ("e=a\nx=" + "$e" * 20_000, "a" * 20_000), ("x=" + "'b'" * 20_000, "b" * 20_000),
    ("x=" + "a\\\n" * 20_000 + "b", "a" * 20_000 + "b"), ("x=" + "\\\n" * 20_000, ""),
    ("x=" + "\\a" * 20_000, "a" * 20_000), ("x=a # " + "'" * 20_000, "a"),
    ("x='a\\'b' \"c # d\"", "a'b c # d"), ("x='a", "a"), ("x='a\\", "a"), ("x=`$e`", "$e")])
def test_a_long_value_is_read_to_its_end(text: str, value: str) -> None:
    """Variables, quotes, escapes, continued lines: as many as there are."""
    assert values(text)["x"] == value


@pytest.mark.parametrize("text", [
    "e=" + "a" * 65_000 + "\nx=$e$e",
    "a=" + "x" * 60_000 + "\n" + "".join(f"b{number}=$a c\n" for number in range(600)),
    "a=aa\n" + "a=$a$a\n" * 40])
def test_variables_do_not_stand_for_everything(text: str) -> None:
    """In one value openssl's own limit counts, in all values of a file kpki's; half of it is
    read."""
    with pytest.raises(ConfigurationError, match="variable expansion too long$"):
        parse_config(text)
    parse_config("a=" + "x" * 60_000 + "\n" + "".join(f"b{number}=$a c\n" for number in range(500)))


def test_a_configuration_has_an_end() -> None:
    """A million characters, whichever file they are in."""
    line = "a=" + "b" * 1021 + "\n"
    parse_config(line * 1024)
    for text in (line * 1024 + "a", "x=" + "a" * (1 << 20)):
        with pytest.raises(ConfigurationError, match="more than 1048576 characters"):
            parse_config(text)
    with pytest.raises(ConfigurationError, match="more than 1048576 characters"):
        parse_config(".include a\n" * 5, read=lambda name: [(name, line * 234)])


def test_included_files_have_an_end() -> None:
    """A thousand are read, however deep each is nested, and no more."""
    with pytest.raises(ConfigurationError, match="exceeds the 1000 files that kpki includes"):
        parse_config(".include a\n", read=lambda name: [(name, "")] * 1001)
    parse_config(".include a\n", read=lambda name: [(name, "")] * 1000)

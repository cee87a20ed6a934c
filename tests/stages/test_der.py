"""DER is taken apart as it was put together, and nothing else is."""
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kpki.errors import InputError
from kpki.stages import der

SIZES = st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])


@given(st.lists(st.tuples(st.sampled_from([der.INTEGER, der.SEQUENCE, der.SET, 0x82, 0xA3]), SIZES),
                max_size=6))
def test_items_are_those_that_were_joined(items: list[tuple[int, int]]) -> None:
    """Items of any length, long and short in any order, each whole."""
    made = [der.tlv(tag, bytes(size)) for tag, size in items]
    assert der.items(b"".join(made)) == tuple(made)


@pytest.mark.parametrize("bad", [
    b"\x02", b"\x02\x01", b"\x04\x81", b"\x04\x82\x01",
    b"\x04\x81\x7f" + bytes(0x7F), b"\x04\x82\x00\x80" + bytes(0x80),
    b"\x04\x80\x00\x00", b"\x04\x81\x80" + bytes(0x7F), b"\x04\x89" + bytes(9)])
@pytest.mark.parametrize("before", [b"", der.integer(1), der.octet_string(bytes(300))])
def test_what_is_cut_short_or_written_longer_than_need_be_is_refused(before: bytes,
                                                                     bad: bytes) -> None:
    """A length that runs over the end, one with octets too many, and one of no end: BER, or
    broken."""
    with pytest.raises(InputError, match="not a well-formed item"):
        der.items(before + bad)

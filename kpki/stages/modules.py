"""What a configuration makes OpenSSL load (`openssl_conf`): object names, or a refusal."""
from __future__ import annotations

from collections.abc import Sequence

from . import objects
from .config import DEFAULT_SECTION, Config, Setting, located
from ..errors import ConfigurationError, InputError, UnsupportedError

_HARMLESS = ("providers", "ssl_conf", "alg_section", "random", "stbl_section")


def added_names(config: Config) -> dict[str, str]:
    """The object names that a configuration adds: short and long name → OID (`oid_section`).

    Raises ConfigurationError if `openssl_conf` or a module names an absent section,
    UnsupportedError for an engine.
    """
    names: dict[str, str] = {}
    for setting in _sections(config, "openssl_conf"):
        module = setting.key.partition(".")[0]
        if module not in (*_HARMLESS, "oid_section", "engines"):
            raise ConfigurationError(
                f"{setting.place}error configuring OpenSSL modules: unknown module name: "
                f"{setting.key}", line=setting.line)
        settings = config.settings(setting.value)
        if settings is None:
            raise ConfigurationError(
                f"{setting.place}error configuring OpenSSL modules: {setting.key}: no section "
                f"[{setting.value}]", line=setting.line)
        if module == "engines" and settings:
            raise UnsupportedError(
                f"{settings[0].place}the engine {settings[0].key} is not supported",
                hint="remove the openssl_conf setting from the configuration")
        if module == "oid_section":
            _add(names, settings, long_names=True)
    _add(names, _sections(config, "oid_section"), long_names=False)
    return names


def _sections(config: Config, key: str) -> Sequence[Setting]:
    name = config.get(DEFAULT_SECTION, key)
    if name is None:
        return ()
    settings = config.settings(name)
    if settings is None:
        raise ConfigurationError(f"{key} names the section [{name}], which is absent")
    return settings


def _add(names: dict[str, str], settings: Sequence[Setting], *, long_names: bool) -> None:
    """Add `short = OID`, and of a module also `short = long, OID`, to *names*.

    Raises InputError if a name or the OID is known already.
    """
    for setting in settings:
        long_name, comma, digits = (setting.value.rpartition(",") if long_names
                                    else ("", "", setting.value))
        long_name = long_name.strip() if comma else setting.key
        dotted = objects.dotted(digits.strip())
        with located(setting):
            if dotted is None:
                raise InputError("problem creating object: the value is not an object identifier")
            if objects.find_object(dotted) or dotted in names.values():
                raise InputError("problem creating object: oid exists")
            if (setting.key in objects.by_short_name() | names
                    or long_name in objects.by_long_name() | names):
                raise InputError("problem creating object: oid exists under that name")
        names |= {setting.key: dotted, long_name: dotted}

"""Two options of `req` and `x509` for a certificate that they make."""
from __future__ import annotations

from .options import GivenOptions
from ...errors import InputError

COPY = ("none", "copy", "copyall")      # the values of -copy_extensions


def serial_number(given: GivenOptions) -> int | None:
    """The `-set_serial` value: decimal, or hexadecimal after 0x, with `-` before; else None."""
    from ...stages.extensions.values import number
    texts = given.all("set_serial")
    if len(texts) > 1:
        raise InputError("serial number supplied twice")
    try:
        return number(texts[0]) if texts else None
    except InputError:
        raise InputError(f"{texts[0]!r} is no serial number",
                         hint="decimal digits, or 0x and hexadecimal ones") from None

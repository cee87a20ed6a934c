"""Serial numbers of certificates: random ones, and the `.srl` file of a CA (`-CAserial`)."""
from __future__ import annotations

import os
import re

from ..errors import InputError

_BITS = 159
_LEADING_DIGITS = re.compile(r"[0-9A-Fa-f]+")


def next_serial(text: str) -> tuple[int, str]:
    """The serial number that follows that of a `.srl` file's *text*, and the file's new text.

    Raises InputError if *text* is not a hexadecimal number of whole bytes.
    """
    digits = _LEADING_DIGITS.match(text)
    if digits is None or len(digits[0]) % 2:
        raise InputError(
            "unable to load number: a serial file holds hexadecimal digits, two a byte")
    number = int(digits[0], 16) + 1
    return number, serial_file_text(number)


def serial_file_text(number: int) -> str:
    """The text of a `.srl` file: upper-case hexadecimal digits, two a byte, and a line end."""
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + digits.zfill(len(digits) + len(digits) % 2) + "\n"


def serial_or_random(serial_number: int | None = None) -> int:
    """*serial_number*, or for None a random one of 159 bits, as openssl draws (rand_serial)."""
    if serial_number is not None:
        return serial_number
    return int.from_bytes(os.urandom(20)) >> 160 - _BITS

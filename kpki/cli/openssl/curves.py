"""EC PARAMETERS: the name of a curve in a file, for `ecparam`, `-genparam` and `-paramfile`."""
from __future__ import annotations

from . import streams
from ... import pem
from ...errors import InputError, about


def named_curve(path: str | None, encoding: str = "PEM") -> str:
    """The short name of the curve in a file of EC PARAMETERS, standard input for None."""
    from ...stages import der, objects
    from ...stages.keys import get_curve
    data = streams.read(path)
    with about(path or "standard input"):
        found = data if encoding == "DER" else next(
            (block.der for block in pem.blocks(data) if block.label == "EC PARAMETERS"), b"")
        if found[:1] == b"\x30":
            raise InputError("the curve is there by its numbers, not by its name",
                             hint="kpki ecparam -name prime256v1 names one")
        try:
            known = objects.find_object(der.oid_text(found)) if found[:1] == b"\x06" else None
        except InputError:
            known = None
        if known is None:
            raise InputError("no EC PARAMETERS with a named curve in it")
        get_curve(known.short_name)
        return known.short_name


def parameters(name: str, encoding: str = "PEM") -> bytes:
    """The EC PARAMETERS of a curve, PEM or DER."""
    from ...stages import der, objects
    from ...stages.text.key import curve_name
    data = der.oid(objects.by_short_name()[curve_name(name)])
    return data if encoding == "DER" else pem.armour(data, "EC PARAMETERS")

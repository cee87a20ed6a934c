"""Keys as openssl prints them: `-text` of public and private keys, `-modulus`."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .value import object_text
from .. import der, keys, objects, records

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_RSA, _EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
_PLAIN = {
    "1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.112": "ED25519",
    "1.3.101.113": "ED448"}
_NIST = {
    "P-224": "secp224r1", "P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1",
    "P-192": "prime192v1"}
_ROW = 15  # octets a line


def public_key_text(public_key: bytes, indent: int = 0) -> str | None:
    """The text that `-text` prints of a SubjectPublicKeyInfo (DER); None for a kind without text.

    *indent* counts the spaces before each line. Raises InputError if *public_key* is none.
    """
    algorithm, parameters, bits = _parts(public_key)
    if algorithm == _RSA:
        modulus, exponent = _integers(bits)
        lines = [f"Public-Key: ({modulus.bit_length()} bit)", *_number("Modulus:", modulus),
                 *_number("Exponent:", exponent)]
    elif algorithm == _EC and (curve := _curve(parameters)):
        lines = [
            f"Public-Key: ({curve[1]} bit)", "pub:", *octet_lines(bits), *_curve_lines(curve[0])]
    elif algorithm in _PLAIN:
        lines = [f"{_PLAIN[algorithm]} Public-Key:", "pub:", *octet_lines(bits)]
    else:
        return None
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def private_key_text(key: PrivateKeyTypes, public_key: bytes | None = None) -> str | None:
    """The text that `pkey -text` prints of a private key; None for a kind without text (DSA, DH).

    *public_key* is the key's SubjectPublicKeyInfo (DER), if its point has another form than the
    usual.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x448, x25519
    algorithm, parameters, bits = _parts(public_key or keys.public_key_der(key))
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        lines = [f"Private-Key: ({key.key_size} bit, 2 primes)"]
        public = numbers.public_numbers
        for label, number in (("modulus:", public.n), ("publicExponent:", public.e),
                              ("privateExponent:", numbers.d), ("prime1:", numbers.p),
                              ("prime2:", numbers.q), ("exponent1:", numbers.dmp1),
                              ("exponent2:", numbers.dmq1), ("coefficient:", numbers.iqmp)):
            lines += _number(label, number)
    elif isinstance(key, ec.EllipticCurvePrivateKey) and (curve := _curve(parameters)):
        secret = key.private_numbers().private_value.to_bytes((curve[1] + 7) // 8, "big")
        lines = [
            f"Private-Key: ({curve[1]} bit)", "priv:", *octet_lines(secret), "pub:",
            *octet_lines(bits), *_curve_lines(curve[0])]
    elif isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | x25519.X25519PrivateKey
                    | x448.X448PrivateKey):
        lines = [
            f"{_PLAIN[algorithm]} Private-Key:", "priv:", *octet_lines(key.private_bytes_raw()),
            "pub:", *octet_lines(bits)]
    else:
        return None
    return "".join(line + "\n" for line in lines)


def key_algorithm(public_key: bytes) -> str:
    """The long name of a SubjectPublicKeyInfo's algorithm (DER), or its OID without a name."""
    return object_text(_parts(public_key)[0])


def modulus(public_key: bytes) -> int | None:
    """The modulus of an RSA SubjectPublicKeyInfo (DER), None for other keys (`-modulus`)."""
    algorithm, _, bits = _parts(public_key)
    return _integers(bits)[0] if algorithm == _RSA else None


def curve_text(name: str) -> str:
    """The text that `ecparam -text` prints of a curve. Raises InputError if *name* is unknown."""
    size = keys.get_curve(name)().key_size
    return "".join(line + "\n"
                   for line in (f"EC-Parameters: ({size} bit)", *_curve_lines(curve_name(name))))


def curve_name(name: str) -> str:
    """OpenSSL's short name of a curve: `P-256` and `secp256r1` are `prime256v1`."""
    names = [known for known, curve in keys.CURVES.items() if curve is keys.get_curve(name)]
    return next(known for known in names if known in objects.by_short_name())


def octet_lines(octets: bytes) -> list[str]:
    """Octets in hexadecimal with colons, 15 a line, after four spaces."""
    rows = [octets[at:at + _ROW].hex(":") for at in range(0, len(octets), _ROW)]
    return ["    " + row + (":" if place < len(rows) else "") for place, row in enumerate(rows, 1)]


def _number(label: str, number: int) -> list[str]:
    if number.bit_length() <= 64:
        return [f"{label} {number} (0x{number:x})" if number else f"{label} 0"]
    return [label, *octet_lines(number.to_bytes(number.bit_length() // 8 + 1, "big"))]


def _parts(public_key: bytes) -> tuple[str, bytes, bytes]:
    """The algorithm, its parameters (DER, b"" if absent) and the key's bits."""
    algorithm, _ = der.items(der.content_of(public_key))
    oid, *parameters = der.items(der.content_of(algorithm))
    return der.oid_text(oid), b"".join(parameters), records.key_bits(public_key)


def _integers(sequence: bytes) -> list[int]:
    """RSA's numbers; OpenSSL reads them as positive even if their first bit is set."""
    return [
        int.from_bytes(der.content_of(item), "big") for item in der.items(der.content_of(sequence))]


def _curve(parameters: bytes) -> tuple[str, int] | None:
    """The short name and the bits of a named curve, None for explicit parameters."""
    if parameters[:1] != bytes((der.OBJECT,)):
        return None
    known = objects.find_object(der.oid_text(parameters))
    curve = keys.CURVES.get(known.short_name) if known else None
    return (known.short_name, curve().key_size) if known and curve else None


def _curve_lines(name: str) -> list[str]:
    nist_names = (nist for nist, own in _NIST.items() if own == name)
    return [f"ASN1 OID: {name}", *(f"NIST CURVE: {nist}" for nist in nist_names)]

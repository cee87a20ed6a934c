"""Whether a CA's key is in a token: for modules that read no description."""


def is_in_token(key: str) -> bool:
    """Whether the text that names a CA's key is a PKCS#11 URI (RFC 7512), and no path."""
    return key.lower().startswith("pkcs11:")

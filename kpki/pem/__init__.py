"""Bytes ↔ key, request, certificate and bundle, in PEM (RFC 7468) and DER; no disk."""
from .blocks import Block, armour, blocks, only_block
from .certificates import (
    CERTIFICATE_LABELS,
    CSR_LABELS,
    LARGEST,
    MOST,
    dump_certificate,
    dump_certificates,
    dump_csr,
    load_certificate,
    load_certificates,
    load_csr,
    load_trusted_certificate,
    load_trusted_certificates,
    validate_bundle,
)
from .keys import KEY_LABELS, dump_key, dump_public_key, is_encrypted, load_key, load_public_key

__all__ = [
    "CERTIFICATE_LABELS", "CSR_LABELS", "KEY_LABELS", "LARGEST", "MOST", "Block", "armour",
    "blocks", "dump_certificate", "dump_certificates", "dump_csr", "dump_key", "dump_public_key",
    "is_encrypted", "load_certificate", "load_certificates", "load_csr", "load_key",
    "load_public_key", "load_trusted_certificate", "load_trusted_certificates", "only_block",
    "validate_bundle"]

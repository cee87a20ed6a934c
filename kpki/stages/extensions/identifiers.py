"""The identifiers of extensions, and the names of the bits in their values (RFC 5280 §4.2)."""
from __future__ import annotations

SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER = "2.5.29.14", "2.5.29.35"
SUBJECT_ALTERNATIVE_NAME, BASIC_CONSTRAINTS = "2.5.29.17", "2.5.29.19"
KEY_USAGE, EXTENDED_KEY_USAGE = "2.5.29.15", "2.5.29.37"

# The position in the row is the number of the bit. openssl accepts the short name and the long name
# (RFC 5280 §4.2.1.3).
KEY_USAGES = (("digitalSignature", "Digital Signature"), ("nonRepudiation", "Non Repudiation"),
              ("keyEncipherment", "Key Encipherment"), ("dataEncipherment", "Data Encipherment"),
              ("keyAgreement", "Key Agreement"), ("keyCertSign", "Certificate Sign"),
              ("cRLSign", "CRL Sign"), ("encipherOnly", "Encipher Only"),
              ("decipherOnly", "Decipher Only"))
NETSCAPE_TYPES = (("client", "SSL Client"), ("server", "SSL Server"), ("email", "S/MIME"),
                  ("objsign", "Object Signing"), ("reserved", "Unused"), ("sslCA", "SSL CA"),
                  ("emailCA", "S/MIME CA"), ("objCA", "Object Signing CA"))
REVOCATION_REASONS = (("unused", "Unused"), ("keyCompromise", "Key Compromise"),
           ("CACompromise", "CA Compromise"), ("affiliationChanged", "Affiliation Changed"),
           ("superseded", "Superseded"), ("cessationOfOperation", "Cessation Of Operation"),
           ("certificateHold", "Certificate Hold"), ("privilegeWithdrawn", "Privilege Withdrawn"),
           ("AACompromise", "AA Compromise"))
TLS_FEATURES = {"status_request": 5, "status_request_v2": 17}

"""Rows for the words of libraries other than Go's and OpenSSL's: the reason of a refusal.

`parts.UNTRUSTED` and `parts.EXPIRED` have the two commonest reasons.
"""
from __future__ import annotations

from .parts import ADDRESS, OUTSIDE
from .rule import LogRule

# Of a line of Java without "certificate", of Node.js, and of Erlang, whose lines name their file.
_WORDS = "ertific|CERT|handshake|ValidatorException|SSL"
_NAME = rf"(?!{ADDRESS})[\w*-][\w.*-]{{0,250}}"
# The certificate lacks @, the name or address that was asked for.
_LACKS = (
    # Java: JSSE, Apache HttpClient, OkHttp
    r"No name matching @ found", r"No subject alternative DNS name matching @ found",
    r"No subject alternative names matching IP address @ found",
    r"Certificate for @ doesn't match (?:any of the|common name)",
    r"hostname in certificate didn't match: @", r"Hostname @ not verified",
    # rustls, gRPC, libpq, PHP
    r"certificate not valid for name @", r"Peer name @ is not in peer certificate",
    r"server certificate for \"[^\"]{1,250}\"(?: \(and \d+ other names?\))? does not match "
    r"host ?name @",
    r"[Pp]eer certificate CN=\S{1,250} did not match expected CN=@",
    # curl, wget, Ruby, Node.js
    r"match(?:es)? (?:requested |target )?(?:host ?name|ip\w* address) @",
    r"hostname @ doesn't match", r"certificate is not valid for @",
    r"hostname @ does not match the server cert", r"hostname \(@\) against server cert",
    r"Host: @ is not (?:cert's CN|in the cert's altnames)",
    # nginx
    r"upstream SSL certificate does not match @")

# The certificate lacks the name, which the words do not tell.
_OTHER_NAME = (
    r"RemoteCertificateNameMismatch|BADCERT_CN_MISMATCH|BAD_CERT_DOMAIN"
    r"|name in the certificate does not match the expected|Common Name \(CN\) does not match"
    r"|certificate name does not match input|requested domain name does not match"
    r"|ERR_CERT_COMMON_NAME_INVALID|SEC_E_WRONG_PRINCIPAL|target principal name is incorrect"
    r"|CN name does not match|CertNotValidForName|certificate's owner does not match"
    r"|SSL certificate different from the (?:configured|expected) one|hostname_check_failed"
    r"|[Hh]ost ?name [Vv]erification (?:[Cc]heck )?failed|subject name mismatch|verify SAN list"
    r"|Cert does not contain a DNS name|unable to obtain common name from peer")


def _lacks(fact: str, pattern: str) -> str:
    """The words for a certificate that lacks what *pattern* matches, which is a *fact*."""
    return "|".join(
        words.replace("@", rf"[\"'`<\u2018]?(?P<{fact}{number}>{pattern})[\"'>\u2019.]?")
        for number, words in enumerate(_LACKS, 1))


LIBRARIES = (
    LogRule("weak-signature-or-key", _WORDS,
            r"Algorithm constraints check failed|do(?:es)? not conform to algorithm constraints"
            r"|[Cc]ertificate chain: (?:\w+, )*HasWeakSignature|CERT_TRUST_HAS_WEAK_SIGNATURE"
            r"|chain uses insecure algorithm|certificate uses insecure algorithm"
            r"|signed with an unacceptable (?:hash|PK alg|key)|BADCERT_BAD_(?:MD|PK|KEY)"
            r"|signature algorithm that is disabled|CERT_SIGNATURE_ALGORITHM_DISABLED"
            r"|ERR_CERT_WEAK_(?:SIGNATURE|KEY)|security level is unacceptable"
            r"|invalid (?:peer )?certificate: Unsupported(?:Cert)?SignatureAlgorithm"
            r"|invalid certificate signature type|invalid certificate: UnsupportedSignature"),
    LogRule("wrong-eku", _WORDS,
            r"[Cc]ertificate chain: (?:\w+, )*NotValidForUsage|CERT_TRUST_IS_NOT_VALID_FOR_USAGE"
            r"|not valid for the requested usage|does not match the intended purpose"
            r"|Key usage violation|[Uu]sage does not match the \S*[Uu]?\w*sage extension"
            r"|BADCERT_(?:EXT_)?KEY_USAGE|BADCERT_NS_CERT_TYPE"
            r"|[Cc]ertificate type not approved"
            r"|[Cc]ertificate key usage inadequate|Netscape cert type does not permit"
            r"|does not allow extended key usage for|RequiredEkuNotFound"
            r"|is not permitted for this usage|\bbad_cert,\s?\{?invalid_(?:ext_)?key_usage"
            r"|key_usage_mismatch"),
    LogRule("ca-not-a-ca", _WORDS,
            r"this is not a CA certificate|is not a CA certificate|End user tried to act as a CA"
            r"|CA key usage check failed|Wrong key usage: expected keyCertSign"
            r"|[Cc]ertificate chain: (?:\w+, )*InvalidBasicConstraints"
            r"|CERT_TRUST_INVALID_BASIC_CONSTRAINTS|issuer is not a CA\b|signer not (?:a )?CA\b"
            r"|[Ii]ssuer certificate is invalid|EndEntityUsedAsCa"
            r"|\bINVALID_CA\b|invalid CA certificate|\bbad_cert,\s?\{?missing_basic_constraint"),
    LogRule("chain-depth", _WORDS,
            r"pathLenConstraint violated|Violated path length constraints|PATH_LENGTH_EXCEEDED"
            r"|CERT_CHAIN_TOO_LONG|MaximumPathDepthExceeded"
            r"|\bbad_cert,\s?\{?max_path_length_reached"),
    LogRule("expired-ca", _WORDS, r"certificate issuer's certificate has expired"),
    LogRule("not-yet-valid", _WORDS,
            r"CertificateNotYetValidException|Exception: NotBefore: |CertNotValidYet"
            r"|certificate not valid yet|uses not yet valid certificate|certificate not activated"
            r"|certificate is not yet activated|validity starts in the future|BADCERT_FUTURE"
            r"|Issued certificate not yet valid|certificate not yet activated"),
    LogRule("malformed-x509", _WORDS,
            r"(?:Empty|Null) (?:issuer|subject) DN not allowed|Duplicate extensions not allowed"
            r"|CertificateParsingException|signed fields invalid|X\.509 Certificate is incomplete"
            r"|Unrecognized critical extension|unrecognized critical ext"
            r"|unsupported critical extensions|name constraints check failed"
            r"|[Cc]ertificate chain: (?:\w+, )*(?:Invalid(?:Name|Policy)Constraints"
            r"|InvalidExtension|Has(?:NotSupported|NotPermitted|Excluded|NotDefined)\w+)"
            r"|CERT_TRUST_(?:INVALID_(?:EXT|NAME|POLICY)|HAS_(?:NOT_(?:SUPPORTED|PERMITTED"
            r"|DEFINED)|EXCLUDED))"
            r"|violates the signer's constraints|Error in the time fields of certificate"
            r"|Duplicate extension in X\.509|nknown critical extension"
            r"|Unsupported (?:critical )?extension in X\.509|embedded null in"
            r"|invalid peer certificate encoding"
            r"|invalid (?:peer )?certificate: (?:Other\(OtherError\()?(?:BadEncoding"
            r"|BadDer|UnhandledCritical|UnsupportedCertVersion|ExtensionValueInvalid"
            r"|InvalidCertValidity|InvalidSerial|Malformed|NameConstraint|UnsupportedCritical"
            r"|TrailingData|SignatureAlgorithmMismatch)"
            r"|peer certificate contents: (?:invalid peer certificate: )?(?:BadDer|BadEncoding"
            r"|Unsupported(?:Cert|Crit)|NameConstraint|Malformed|Extension|InvalidCertV)"
            r"|Couldn't understand the server certificate format|is not standards compliant"
            r"|ERROR_IN_CERT_NOT_|\bbad_cert,\s?\{?(?:name_not_permitted|unknown_critical)"
            r"|NAME_CONSTRAINT_VIOLATION|CERT_NOT_IN_NAME_SPACE|unsupported_or_invalid"),
    LogRule("key-cert-mismatch", _WORDS + "|rivate key",
            r"certificate and the given key do not match|inconsistencies between private key and"
            r"|keys may not be consistent"),
    LogRule("legacy-cn-no-san", _WORDS,
            r"not verified:.{1,900}?subjectAltNames: \[\]", versions="OkHttp"),
    LogRule("external-ca", _WORDS, _lacks("name", r"[\w*.:-]{1,250}") + "|" + _OTHER_NAME,
            where=OUTSIDE, unless=r"\.svc\b"),
    LogRule("missing-san-ip", _WORDS, _lacks("address", ADDRESS) + r"|No subject alternative names "
            r"present|IP: \S{1,60} is not in the cert's list"),
    LogRule("missing-san-dns", _WORDS, _lacks("name", _NAME) + "|" + _OTHER_NAME),
)

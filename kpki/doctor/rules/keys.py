"""Rows for what a file holds: PEM, keys, pairs, strength; and for tokens."""
from __future__ import annotations

from .parts import FILE_NAME
from .rule import LogRule

KEYS = (
    LogRule("kubeconfig-broken", "invalid kubeconfig|config file",
            r"invalid kubeconfig: (?:invalid configuration: no configuration|.{0,200}?(?:yaml"
            r"|json): )"
            rf"|(?i:error loading config file) \"{FILE_NAME}\": (?:yaml|json|couldn't get version"
            rf"|no kind|empty|invalid)"
            r"|invalid kubeconfig: .{0,80}?context (?:was not found|\S+ does not exist)"),
    LogRule("flags-mismatch", "config file", r"load [Kk]ubelet config file,? (?:path: "
            r")?(?P<file>/[^\s,:]+)"
            r".{0,200}?(?:failed to decode|strict decoding|no kind \"|unknown field)"),
    LogRule("signing-bundle", "ertific",
            r"(?:csr-controller::(?P<file>[^:\s]{1,200})::\S{1,200} )?"
            r"expected 1 certificate, found \d+"),
    LogRule("encrypted-key", "rivate key|routines:|x509| PEM|SSL",
            r"tls: failed to parse private key|bad decrypt|decryption password incorrect"
            r"|no DEK-Info header|private key is (?:encrypted|password)"
            r"|PEM format key .{1,99} is encrypted|(?i:bad_?(?: )?decrypt)"
            r"|(?i:password was not given but private key is encrypted)|maybe wrong pass"
            r"|(?i:problems getting password|bad[ _]password[ _]read)|BEGIN ENCRYPTED PRIVATE"
            r"|Enter (?:PEM )?pass ?phrase for|encrypted private keys? (?:is|are) not supported"),
    LogRule("key-cert-mismatch", "routines:|SSL|ertific| PEM|rivate key",
            r"private key (?:type )?does not match public key|(?i:key[ _]values[ _]mismatch)"
            r"|found a certificate rather than a key|PEM inputs may have been switched"
            r"|unable to set private key file: '?(?P<file>[^\s']*)"
            r"|(?i:private key (?:does not|doesn't|do not) match (?:the )?(?:public|cert))"
            r"|(?i:(?:certificate and (?:the )?(?:private )?key|key and cert\w*) (?:pair )?"
            r"(?:do not|does not|don't|doesn't|mis)\W?match)|X509_check_private_key"
            r"|(?i:key[ _]type[ _]mismatch)"),
    LogRule("weak-signature-or-key", "x509|crypto/rsa|routines:|ertific|SSL|ublic key"
            "|rivate key|verify error|depth lookup",
            r"private key file (?P<file>\S{1,200}) isn't in RSA format"
            r"|insecure algorithm (?P<algorithm>[\w-]+)|insecure (?P<algorithm2>[\w-]+) signature"
            r"|(?P<bits>\d+)-bit keys are insecure"
            r"|(?i:(?:ee|ca)[ _]key[ _]too[ _]small|(?:key|md|digest(?: algorithm)?)[ _]too[ _]weak"
            r"|dh[ _]key[ _]too[ _]small)|RSA key size too small"
            r"|cannot verify signature: algorithm unimplemented|unsupported certificate curve"
            r"|RSA key larger than \d+|(?:unsupported|unknown) elliptic curve"
            r"|unsupported (?:type of )?public key|unknown private key type|unknown public key alg"
            r"|unsupported public key type|certificate key too weak|explicit ECC parameters"
            r"|PKCS#8 wrapping contained private key with unknown algorithm"
            r"|peer doesn't support any of the certificate's signature algorithms"
            r"|unsupported certificate(?: key \(|: private key is)"),
    LogRule("sa-key-mismatch", "ublic key",
            r"(?P<file>(?<!\S)\S{1,200}?(?:\.key|_rsa)\.pub): data does not "
            r"contain any valid RSA or ECDSA public keys",
            versions="a public key of ssh-keygen, which names the file after the private key"),
    LogRule("malformed-x509", "asn1: ",
            r"asn1: structure error:? tags don't match \(16 vs \{class:0 tag:6 "),
    LogRule("front-proxy-ca", "missing content for", r"missing content for CA bundle "
            r"\"client-ca::[^\"]{1,200}::requestheader-client-ca-file"),
    LogRule("bad-pem", " PEM|missing content for|ublic key|rivate key|ertific|config file"
            "|routines:|SSL|asn1: |x509|loaded properly",
            r"existed but (?:it|they) could not be loaded properly"
            r"|failed to find (?:any )?(?:certificate )?(?:\"CERTIFICATE\" )?PEM|any PEM data"
            r"|failed to parse certificate PEM data|no valid PEM formatted block"
            r"|missing content for (?:\w{1,14} ){0,3}(?:cert|bundle|key|CA)"
            r"|data does not contain (?:any|a) valid (?:RSA|ECDSA|private|public|cert)"
            r"|does(?: not|n't) contain (?:any )?(?:a )?(?:valid )?(?:PEM|certificates?"
            r"|private key)\b"
            r"|trailing data after first PEM|\b(?:parse|decod|find|load|read)\w{0,6}"
            r"(?: \w{1,14}){0,4} PEM\b|illegal base64 data|(?i:no[ _]start[ _]line"
            r"|bad base64 decode|bad[ _]end[ _]line)|\[SSL\] PEM lib"
            r"|NO_CERTIFICATE_OR_CRL_FOUND|NOT_ENOUGH_DATA"
            r"|Could not read (?:\w+ )?(?:certificate|private key|CA|public key|cert|key)"
            r"|asn1: structure error: tags don't match|no valid certificates? (?:found|in)"
            r"|(?:invalid|not (?:a )?(?:valid )?)\bPEM\b|unable to parse bytes as PEM block"
            r"|No certificates? found in|x509: failed to parse (?:EC |RSA )?private key"
            r"|x509: (?:invalid|unsupported|unknown|private key) (?:\w+ )?(?:private key (?:length"
            r"|version|param)|contains zero)|x509: invalid \w+ private key"
            r"|no PEM[- ](?:data|encoded|block)|empty PEM|PEM_read_bio"
            r"|does ?n[o']t look like an? (?:x509|PEM)|[Nn]o valid private key found"
            r"|[Kk]ey must be PEM[- ]encoded|no valid certificate authority data seen"
            r"|X509::CertificateError: (?:not enough data|nested asn1|header too)"
            r"|Neither PUB key nor"
            r"|failed to append CA cert\w* to|not loading an empty (?:serving|SNI) certificate",
            unless=r"(?i:no such file|permission denied)|Unable to decode an event"),
    LogRule("malformed-x509", "asn1: |routines:|SSL", r"asn1: (?:syntax|structure) error"
            r"|asn1_check_tlen"
            r"|(?i:asn1 encoding routines)|\[ASN1: "),
    LogRule("sa-key-mismatch", "invalid bearer token|crypto/rsa",
            r"go-jose: error in cryptographic primitive|go-jose/go-jose: error in crypt"
            r"|\[invalid bearer token, \S*/go-jose$"
            r"|invalid signature, no keys found|Signature error \(key \d+\)"
            r"|(?:bearer token|token)\b.*\binvalid signature"),
    LogRule("sa-key-mismatch", "crypto/rsa",
            r"(?:crypto/rsa: verification error|crypto/ecdsa: verification error)",
            unless=r"x509|candidate authority|not signed by|CA certificate|\boidc: "),
    LogRule("bootstrap-kubeconfig-missing-or-token-expired", "invalid bearer token",
            r"\[invalid bearer token(?:, \[?invalid bearer token\]?)*\]"),
)

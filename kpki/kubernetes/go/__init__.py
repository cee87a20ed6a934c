"""Go 1.26's crypto/x509, as far as a verdict needs it: what it reads of a certificate, and how it builds a chain.

Written from raw DER up, because cryptography and OpenSSL are stricter in some places and laxer in others. Each module
names the file of Go's standard library (or of golang.org/x/crypto/cryptobyte) whose behaviour it mirrors.
"""

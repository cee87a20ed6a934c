"""Go 1.26's crypto/x509, as far as a verdict needs: to read certificates, and to build chains.

The code starts from raw DER, because cryptography and OpenSSL are stricter than Go in some places
and laxer in others. Each module names the file of Go's standard library, or of
golang.org/x/crypto/cryptobyte, with the same behaviour.
"""

"""The commands of OpenSSL 3.0 that kpki lacks (see `openssl help`), and what to use instead."""
from __future__ import annotations

_COMMANDS = """\
asn1parse ca ciphers cmp cms crl crl2pkcs7 dgst dhparam dsa dsaparam enc engine errstr fipsinstall
gendsa info kdf list mac nseq ocsp passwd pkcs12 pkcs7 pkcs8 pkeyparam pkeyutl prime rand rehash
rsautl s_client s_server s_time sess_id smime speed spkac srp storeutl ts version"""
_DIGESTS = """\
blake2b512 blake2s256 md4 md5 mdc2 rmd160 sha1 sha224 sha256 sha384 sha512 sha512-224 sha512-256
sha3-224 sha3-256 sha3-384 sha3-512 shake128 shake256 sm3"""
_CIPHERS = """\
aes-128-cbc aes-128-ecb aes-192-cbc aes-192-ecb aes-256-cbc aes-256-ecb
aria-128-cbc aria-128-cfb aria-128-cfb1 aria-128-cfb8 aria-128-ctr aria-128-ecb aria-128-ofb
aria-192-cbc aria-192-cfb aria-192-cfb1 aria-192-cfb8 aria-192-ctr aria-192-ecb aria-192-ofb
aria-256-cbc aria-256-cfb aria-256-cfb1 aria-256-cfb8 aria-256-ctr aria-256-ecb aria-256-ofb
bf bf-cbc bf-cfb bf-ecb bf-ofb camellia-128-cbc camellia-128-ecb camellia-192-cbc camellia-192-ecb
camellia-256-cbc camellia-256-ecb cast cast-cbc cast5-cbc cast5-cfb cast5-ecb cast5-ofb des des-cbc
des-cfb des-ecb des-ede des-ede-cbc des-ede-cfb des-ede-ofb des-ede3 des-ede3-cbc des-ede3-cfb
des-ede3-ofb des-ofb des3 desx idea idea-cbc idea-cfb idea-ecb idea-ofb rc2 rc2-40-cbc rc2-64-cbc
rc2-cbc rc2-cfb rc2-ecb rc2-ofb rc4 rc4-40
seed seed-cbc seed-cfb seed-ecb seed-ofb sm4-cbc sm4-cfb sm4-ctr sm4-ecb sm4-ofb zlib zstd"""

# command → what to use
ABSENT = dict.fromkeys(_COMMANDS.split(), "openssl itself does it")
_DIGEST = "kpki x509 -fingerprint gives a certificate's digest, openssl dgst a file's"
ABSENT |= dict.fromkeys(_DIGESTS.split(), _DIGEST)
ABSENT |= dict.fromkeys(_CIPHERS.split(),
                        "kpki pkey -aes256 encrypts a private key, openssl enc any other file")
ABSENT |= {
    "asn1parse": "kpki x509 -text and kpki req -text show what is inside",
    "base64": "the command base64 does it",
    "ca": "kpki x509 -req -CA FILE -CAkey FILE signs a request",
    "crl": "openssl itself does it: kpki reads no revocation lists",
    "dgst": _DIGEST,
    "dsa": "kpki pkey reads any kind of key",
    "gendsa": "kpki genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes a key",
    "list": "kpki help VERB lists a verb's options",
    "pkcs8": "kpki pkey reads and writes PKCS#8",
    "pkeyparam": "kpki ecparam -in FILE shows a curve's parameters",
    "storeutl": "kpki show FILE shows the content of a file",
    "version": "kpki --version",
}

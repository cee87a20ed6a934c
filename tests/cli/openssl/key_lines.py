"""Lines about keys that OpenSSL 3.0 carries out, by what they try. The files are those of
recipes.py."""
from __future__ import annotations

DONE = {
    "genrsa": """\
genrsa -out - 1024
genrsa
genrsa 1024
genrsa -out new 1024
genrsa -3 1024
genrsa -F4 1024
genrsa -f4 -out new 1024
genrsa -3 -F4 1024
genrsa -F4 -3 1024
genrsa -verbose 1024
genrsa -rand r.der 1024
genrsa -rand r.der:r.pem -provider default 1024
genrsa -primes 2 1024
genrsa -traditional 1024
genrsa 0x400
genrsa -- 1024
genrsa --out new 1024
genrsa -out=new 1024
genrsa -aes128 -passout pass:abcd 1024
genrsa -aes192 -passout pass:abcd 1024
genrsa -aes256 -passout pass:abcd -out new 1024
genrsa -des3 -passout pass:abcd 1024
genrsa -camellia128 -passout pass:abcd 1024
genrsa -aria128 -passout pass:abcd 1024
genrsa -sm4 -passout pass:abcd 1024
genrsa -aes128 -passout env:SECRET 1024
genrsa -AES-256-CFB -passout pass:abcd 1024
genrsa -traditional -aes128 -passout pass:abcd 1024
genrsa -traditional -des3 -passout pass:abcd 1024
genrsa -passout pass:abcd 1024""",
    "genpkey": """\
genpkey -algorithm ED25519 -out -
genpkey -algorithm RSA
genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out new
genpkey -algorithm RSA -pkeyopt bits:1024
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:0x400
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_pubexp:3
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_pubexp:65537
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_primes:2
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -text
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -outform DER
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -quiet
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -des3 -pass pass:abcd
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out new
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:PRIME256V1
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -text
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp521r1
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-224
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-192
genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1
genpkey -algorithm EC -pkeyopt group:P-256
genpkey -algorithm EC -pkeyopt group:secp256k1 -outform DER
genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve
genpkey -pkeyopt ec_param_enc:named_curve -algorithm EC -pkeyopt group:P-256
genpkey -algorithm EC -pkeyopt group:P-256 -pkeyopt group:P-384
genpkey -algorithm EC -pkeyopt group:P-256 -aes128 -pass pass:abcd
genpkey -algorithm EC -pkeyopt group:P-256 -aes128 -pass pass:abcd -text
genpkey -algorithm EC -pkeyopt group:P-256 -pass pass:abcd
genpkey -algorithm EC -pkeyopt group:P-256 -pkeyopt encoding:named_curve
genpkey -algorithm EC -pkeyopt group:P-256 -pkeyopt point-format:uncompressed
genpkey -algorithm ED25519
genpkey -algorithm ed25519 -text
genpkey -algorithm ED25519 -outform DER
genpkey -algorithm ED25519 -camellia256 -pass env:SECRET
genpkey -algorithm ED448 -out new
genpkey -algorithm ED448 -text
genpkey -algorithm X25519
genpkey -algorithm x448 -text -out new
genpkey -algorithm X25519 -outform DER
genpkey -algorithm X448 -aes128 -pass pass:abcd
genpkey -algorithm ED25519 -provider default
genpkey -algorithm RSA -algorithm ED25519
genpkey -genparam -algorithm EC -pkeyopt ec_paramgen_curve:P-256
genpkey -genparam -algorithm EC -pkeyopt group:secp384r1 -out new
genpkey -genparam -algorithm EC -pkeyopt group:P-256 -text
genpkey -genparam -algorithm EC -pkeyopt group:P-521 -outform DER
genpkey -genparam -algorithm EC -pkeyopt ec_param_enc:named_curve -pkeyopt group:P-256
genpkey -paramfile p.par
genpkey -paramfile q.par -text
genpkey -paramfile p.par -out new -outform DER
genpkey -paramfile p.par -pkeyopt ec_param_enc:named_curve
genpkey -paramfile p.par -pkeyopt group:P-384
genpkey -paramfile p.par -aes256 -pass pass:abcd
genpkey -paramfile pe.pem
genpkey -paramfile p.par -paramfile q.par""",
    "ecparam": """\
ecparam -name prime256v1
ecparam -name prime256v1 -out -
ecparam -name P-256 -text
ecparam -name secp256r1
ecparam -name PRIME256V1
ecparam -name prime192v1 -text
ecparam -name secp521r1 -noout -text
ecparam -name secp384r1 -outform DER -out new
ecparam -name prime256v1 -check
ecparam -name prime256v1 -check_named -noout
ecparam -name prime256v1 -param_enc named_curve
ecparam -name prime256v1 -conv_form compressed -text
ecparam -name prime256v1 -no_seed
ecparam -name prime256v1 -genkey
ecparam -name prime256v1 -genkey -noout -out new
ecparam -name secp384r1 -genkey -text
ecparam -name prime256v1 -genkey -noout -outform DER
ecparam -name prime256v1 -genkey -conv_form compressed -noout
ecparam -name prime192v1 -genkey
ecparam -name prime256v1 -genkey -outform DER
ecparam -in p.par
ecparam -in p.par -text
ecparam -in q.par -noout -text -check
ecparam -in p.par -outform DER
ecparam -in p.der -inform DER
ecparam -in p.der -inform DER -text -out new
ecparam -in q.par -genkey
ecparam -in q.par -genkey -noout
ecparam -in pe.pem
ecparam -in mark.par
ecparam -in p.par -name secp384r1
ecparam -in nosuch -name prime256v1""",
    "rsa": """\
rsa -in r.pem
rsa -in r.pem -out -
rsa -in r1.pem
rsa -in s.pem -noout -text
rsa -in three.pem -text
rsa -in r.pem -out new
rsa -in r.pem -traditional -out new
rsa -in r1.pem -outform DER
rsa -in r.der
rsa -in r.der -inform DER
rsa -in r8.der
rsa -in r8enc.der -passin pass:abcd
rsa -in r.pem -check -noout
rsa -in r.pem -modulus -noout
rsa -in r.pem -pubout
rsa -in r.pem -pubout -outform DER -out new
rsa -in r.pem -RSAPublicKey_out
rsa -in r.pem -RSAPublicKey_out -pubout
rsa -in r.pem -pubout -RSAPublicKey_out -outform DER
rsa -in r.pem -pubout -aes192
rsa -in r.pub -pubin
rsa -in r.pub -pubin -text -noout -modulus
rsa -in r.pub -pubin -RSAPublicKey_out
rsa -in r1.pub -RSAPublicKey_in
rsa -in r1.pub -RSAPublicKey_in -RSAPublicKey_out
rsa -in r1.pub -RSAPublicKey_in -noout -text
rsa -in r1.pub -pubin -pubout
rsa -in r.pub -RSAPublicKey_in
rsa -in rpub.der -pubin -inform DER
rsa -in rpub.der -pubin
rsa -in r.pem -aes128 -passout pass:abcd
rsa -in r.pem -aes192 -passout pass:abcd
rsa -in r.pem -aes256 -passout env:SECRET -out new
rsa -in r.pem -des3 -passout pass:abcd
rsa -in r.pem -camellia192 -passout pass:abcd
rsa -in r.pem -aria192 -passout pass:abcd
rsa -in r.pem -aes-192-ofb -passout pass:abcd
rsa -in r.pem -des-ede -passout pass:abcd
rsa -in r.pem -aes128 -passout pass:abcd -outform DER
rsa -in r.pem -traditional -aes128 -passout pass:abcd
rsa -in r.pem -traditional -aes-256-cbc -passout pass:abcd
rsa -in r.pem -traditional -des3 -passout pass:abcd
rsa -in r.pem -traditional -camellia128 -passout pass:abcd
rsa -in r.pem -traditional -sm4 -passout pass:abcd
rsa -in r.pem -traditional -aes-128-ctr -passout pass:abcd
rsa -in r.pem -noout -aes128
rsa -in r.pem -noout -bf
rsa -in r.pem -pubout -des3
rsa -in aes256.enc -passin pass:abcd
rsa -in des3.enc -passin pass:abcd -pubout
rsa -in aria.enc -passin pass:abcd
rsa -in camellia.enc -passin pass:abcd
rsa -in ofb.enc -passin pass:abcd
rsa -in des3.old -passin pass:abcd
rsa -in aes192.old -passin pass:abcd
rsa -in camellia.old -passin env:SECRET -noout -check
rsa -in r.pem -passin pass:none
rsa -in aes256.enc -passin pass:abcd -aes128 -passout pass:abcd
rsa --in r.pem --noout
rsa -in=r.pem -noout
rsa -in r.pem -noout --
rsa -in r.pem -noout -aes128 -des3""",
    "ec": """\
ec -in e.pem
ec -in e.pem -pubout -out -
ec -in e.pem -aes256 -passout pass:abcd -no_public
ec -in e.pem -des3 -passout pass:abcd -conv_form compressed
pkey -in e.pem -aes128 -passout pass:abcd -ec_conv_form hybrid
pkey -in e.pem -camellia128 -passout pass:abcd -ec_conv_form compressed -traditional
ec -in e8.pem
ec -in f.pem -text
ec -in k.pem -noout -text -check
ec -in e.pem -out new
ec -in e.pem -outform DER
ec -in e.der
ec -in e.der -inform DER -check
ec -in e.pem -pubout -out new
ec -in e.pub -pubin -text
ec -in e.pem -param_out
ec -in e.pem -conv_form compressed
ec -in e.pem -conv_form hybrid -pubout
ec -in e.pem -no_public
ec -in e.pem -param_enc named_curve -text
ec -in pe.pem
ec -in parkey.pem -noout
ec -in e.pem -aes128 -passout pass:abcd
ec -in e.pem -aes256 -passout env:SECRET -out new
ec -in e.pem -des3 -passout pass:abcd
ec -in e.pem -camellia256 -passout pass:abcd
ec -in e.pem -sm4 -passout pass:abcd
ec -in e.pem -des-ede-cbc -passout pass:abcd
ec -in e.pem -noout -aes128
ec -in aes128.enc -passin pass:abcd
ec -in sm4.enc -passin pass:abcd
ec -in aes256.old -passin pass:abcd
ec -in aria.old -passin pass:abcd -pubout
ec -in r.pem
ec -in r.pem -check
ec -in r.pem -check -noout
ec -in r.pem -noout -text
ec -in r.pem -pubout
ec -in r.pem -conv_form compressed
ec -in r.pem -outform DER
ec -in r.pub -pubin
ec -in r.pub -pubin -noout -text
ec -in d.pem -check -noout
ec -in d.pem -pubout
ec -in d.pub -pubin""",
    "pkey": """\
pkey -in r.pem
pkey -in r.pem -out -
pkey -in r1.pem -text
pkey -in e.pem
pkey -in e8.pem -text -noout
pkey -in f.pem -traditional
pkey -in d.pem -text
pkey -in g.pem -text
pkey -in x.pem -text
pkey -in d.der
pkey -in d.der -inform DER
pkey -in r8enc.der -passin pass:abcd -out new
pkey -in r.pem -outform DER
pkey -in e.pem -outform DER
pkey -in d.pem -outform DER -out new
pkey -in r.pem -pubout
pkey -in e.pem -pubout -text
pkey -in d.pem -pubout -outform DER
pkey -in r.pub -pubin -text
pkey -in r1.pub -pubin
pkey -in e.pub -pubin -noout -text_pub
pkey -in rpub.der -pubin
pkey -in r.pem -text_pub
pkey -in e.pem -ec_conv_form compressed
pkey -in e.pem -ec_conv_form compressed -pubout
pkey -in e.pem -ec_param_enc named_curve
pkey -in r.pem -aes128 -passout pass:abcd
pkey -in e.pem -aes192 -passout pass:abcd
pkey -in d.pem -aes256 -passout pass:abcd -out new
pkey -in x.pem -aes128 -passout pass:abcd
pkey -in r.pem -des3 -passout pass:abcd
pkey -in e.pem -camellia128 -passout pass:abcd
pkey -in e.pem -camellia-256-ctr -passout pass:abcd
pkey -in d.pem -aria256 -passout pass:abcd
pkey -in r.pem -sm4 -passout pass:abcd
pkey -in r.pem -aes-128-cfb8 -passout pass:abcd
pkey -in r.pem -aes-256-ecb -passout pass:abcd
pkey -in r.pem -traditional -aes128 -passout pass:abcd
pkey -in e.pem -traditional -aes192 -passout pass:abcd
pkey -in r.pem -traditional -des-ede3-cfb -passout pass:abcd
pkey -in r.pem -traditional -chacha20 -passout pass:abcd
pkey -in aes192.enc -passin pass:abcd
pkey -in aes128.enc -passin pass:abcd -text
pkey -in aria.enc -passin pass:abcd -noout
pkey -in sm4.enc -passin pass:abcd -aes128 -passout pass:abcd
pkey -in des3.old -passin pass:abcd
pkey -in d.pem""",
    "pkey_check": """\
pkey -in r.pem -check
pkey -in r.pem -check -noout
pkey -in three.pem -check -noout
pkey -in e.pem -check -noout
pkey -in f.pem -pubcheck -noout
pkey -in d.pem -check -noout
pkey -in g.pem -pubcheck -noout
pkey -in e.pub -pubin -pubcheck -noout
pkey -in r.pub -pubin -check -noout
pkey -in aes256.enc -passin pass:abcd -check -noout
rsa -in s.pem -check -noout
ec -in k.pem -check -noout""",
    "pem_reading": """\
pkey -in mark.pem
pkey -in mark.pub -pubin
pkey -in crlf.pem
pkey -in before.pem
pkey -in after.pem
pkey -in crtkey.pem
pkey -in keycrt.pem
pkey -in two.pem
pkey -in twopub.pem -pubin
pkey -in trailing.pem
pkey -in short.pem
pkey -in nonewline.pem
rsa -in crtkey.pem -traditional
rsa -in mark.pem -noout
rsa -in long.pem
ec -in two.pem
req -in r.csr -noout -subject
x509 -in mark.crt -noout -subject
x509 -in keycrt.pem -noout -subject
pkey -in long.pem""",
    "req": """\
req -new -config dn.cnf -newkey rsa:1024 -passout pass:abcd -keyout new
req -new -config dn.cnf -newkey rsa:1024 -pkeyopt bits:1025 -noenc -keyout new
req -new -config dn.cnf -newkey rsa:1024 -noenc -keyout new -out new
req -x509 -new -config dn.cnf -newkey ec:p.par -noenc -keyout - -out -
req -new -newkey rsa:1024 -nodes -subj /CN=x -keyout new -out csr
req -new -newkey 1024 -noenc -subj /CN=x -keyout new -out csr
req -new -newkey RSA:1024 -noenc -subj /CN=x -keyout new -out csr
req -new -newkey rsa -pkeyopt rsa_keygen_bits:1024 -noenc -subj /CN=x -keyout new -out csr
req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=x -keyout new -out csr
req -new -newkey ec -pkeyopt group:P-384 -noenc -subj /CN=x -keyout new -out csr
req -new -newkey ec:p.par -noenc -subj /CN=x -keyout new -out csr
req -new -newkey param:q.par -noenc -subj /CN=x -keyout new -out csr
req -new -newkey ed25519 -noenc -subj /CN=x -keyout new -out csr
req -x509 -newkey ed448 -noenc -subj /CN=x -keyout new -out crt""",
}

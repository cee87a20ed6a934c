"""Lines about keys that OpenSSL 3.0 refuses, by what they try. The files are those of
recipes.py."""
from __future__ import annotations

REFUSED = {
    "genrsa": """\
genrsa 1
genrsa 511
genrsa 0
genrsa -1
genrsa 20000x
genrsa 1k
genrsa 1024 2048
genrsa 1024 -out new
genrsa -out
genrsa -primes 1 1024
genrsa -primes x 1024
genrsa -nosuch 1024
genrsa -des -passout pass:abcd 1024
genrsa -aes-128-gcm -passout pass:abcd 1024
genrsa -aes-128-ctr -passout pass:abcd 1024
genrsa -aes-256-xts -passout pass:abcd 1024
genrsa -aes128 -passout nosuch 1024
genrsa -passout nosuch 1024
genrsa -aes128 -passout env:NOSUCH 1024
genrsa -aes128 1024
genrsa -rand nosuch 1024
genrsa -rand r.der:nosuch 1024
genrsa -out nosuch/new 1024""",
    "genpkey": """\
genpkey
genpkey -text
genpkey -algorithm
genpkey -algorithm nosuch
genpkey -algorithm EC
genpkey -algorithm EC -pkeyopt group:nosuch
genpkey -algorithm EC -pkeyopt group:p-256
genpkey -algorithm EC -pkeyopt group
genpkey -algorithm EC -pkeyopt group:
genpkey -algorithm EC -pkeyopt ec_param_enc:nosuch -pkeyopt group:P-256
genpkey -algorithm EC -pkeyopt rsa_keygen_bits:1024
genpkey -algorithm RSA -pkeyopt ec_paramgen_curve:P-256
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:x
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:100
genpkey -algorithm RSA -pkeyopt nosuch:1
genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 extra
genpkey -algorithm ED25519 -pkeyopt group:P-256
genpkey -algorithm ED25519 -nosuch
genpkey -algorithm ED25519 -des -pass pass:abcd
genpkey -algorithm ED25519 -aes128
genpkey -algorithm ED25519 -pass nosuch
genpkey -algorithm DSA
genpkey -algorithm X25519 -pkeyopt group:P-256
genpkey -algorithm X448 -genparam
genpkey -genparam
genpkey -genparam -algorithm RSA
genpkey -genparam -algorithm ED25519
genpkey -genparam -algorithm EC
genpkey -genparam -paramfile p.par
genpkey -genparam -algorithm EC -pkeyopt group:P-256 -aes128 -pass pass:abcd
genpkey -algorithm EC -paramfile p.par
genpkey -paramfile p.par -algorithm EC
genpkey -paramfile nosuch
genpkey -paramfile empty
genpkey -paramfile r.pem
genpkey -paramfile e.pem
genpkey -paramfile p.der
genpkey -paramfile p.par -pkeyopt nosuch:x
genpkey -paramfile p.par -pkeyopt rsa_keygen_bits:1024""",
    "ecparam": """\
ecparam
ecparam -name
ecparam -name nosuch
ecparam -name p-256
ecparam -in nosuch
ecparam -in empty
ecparam -in r.pem
ecparam -in e.pem
ecparam -in r.csr
ecparam -in p.der
ecparam -in p.par -inform DER
ecparam -in p.par -inform XX
ecparam -in p.par extra
ecparam -in p.par -nosuch
ecparam -name prime256v1 -conv_form nosuch
ecparam -name prime256v1 -param_enc nosuch""",
    "rsa": """\
rsa
rsa -in
rsa -in nosuch
rsa -in e.pem
rsa -in d.pem
rsa -in e.pub -pubin
rsa -in r.pub
rsa -in r.pem -pubin
rsa -in r.pem -RSAPublicKey_in
rsa -in r.csr
rsa -in r.pub -pubin -check
rsa -in r.pem -RSAPublicKey_out -aes192
rsa -in r.pub -pubin -RSAPublicKey_out -aes192 -passout pass:abcd
rsa -in r.pem -inform DER
rsa -in r.der -inform PEM
rsa -in r.pem -outform XX
rsa -in r.pem extra
rsa -in r.pem -noout -nosuch
rsa -in r.pem -noout -aes-128-ccm
rsa -in r.pem -noout -aes-128
rsa -in r.pem -des -passout pass:abcd
rsa -in r.pem -seed -passout pass:abcd
rsa -in r.pem -idea -passout pass:abcd
rsa -in r.pem -aes-128-ctr -passout pass:abcd
rsa -in r.pem -traditional -aes-128-ecb -passout pass:abcd
rsa -in r.pem -aes128 -passout file:nosuch
rsa -in r.pem -noout -passout nosuch
rsa -in r.pem -noout -passin nosuch
rsa -in aes256.enc
rsa -in aes256.enc -passin pass:wrong
rsa -in aria.enc -passin pass:wrong
rsa -in camellia.old -passin pass:wrong
rsa -in des3.old -passin file:nosuch
rsa -in r.pem -out nosuch/new""",
    "ec": """\
ec
ec -in nosuch
ec -in d.pem
ec -in x.pem
ec -in r.pem -param_out
ec -in e.pub
ec -in e.pem -pubin
ec -in r.crt
ec -in p.par
ec -in e.pem -conv_form nosuch
ec -in e.pem -conv_form nosuch -conv_form compressed
ec -in r.pub -pubin -conv_form nosuch
ec -in e.pem -param_out -aes192
ec -in e.pem -param_enc nosuch
ec -in e.pem -nosuch
ec -in e.pem -noout -nosuch
ec -in e.pem -aes-256-gcm -passout pass:abcd
ec -in e.pem -aes-128-ecb -passout pass:abcd
ec -in e.pem -passout nosuch
ec -in e.pem -conv_form compressed -passout env:NOSUCH
ec -in e.pem extra
ec -in aes128.enc -passin pass:wrong
ec -in aes256.old""",
    "pkey": """\
pkey
pkey -in nosuch
pkey -in r.pub
pkey -in r.pem -pubin
pkey -in r.crt
pkey -in r.csr
pkey -in p.par
pkey -in d.pem -traditional
pkey -in r.pem -nosuch
pkey -in r.pem -noout -nosuch
pkey -in r.pem extra
pkey -in r.pem -outform XX
pkey -in r.pem -aes128 -passout pass:abcd -outform DER
pkey -in r.pem -text -outform DER
pkey -in r.pem -rc4 -passout pass:abcd
pkey -in r.pem -aria-128-gcm -passout pass:abcd
pkey -in r.pem -camellia-128-cfb8 -passout pass:abcd
pkey -in r.pem -des-ede3-cfb -passout pass:abcd
pkey -in r.pem -passout nosuch
pkey -in r.pem -ec_conv_form compressed
pkey -in e.pem -ec_conv_form nosuch
pkey -in r.pem -noout -aes128
pkey -in d.pub -pubin -ec_param_enc named_curve
pkey -in aes192.enc -passin pass:wrong""",
    "pkey_check": """\
pkey -in mixed.der -check -noout
pkey -in mixed.der -pubcheck -noout
ec -in mixed.der -check -noout
pkey -in cut.der -check -noout
rsa -in cut.der -check -noout""",
    "pem_reading": """\
pkey -in marks.pem
pkey -in empty
pkey -in text
pkey -in cut.pem
pkey -in noend.pem
pkey -in label.pem
pkey -in base64.pem
pkey -in zero.pem
pkey -in indented.pem
rsa -in two.pem
req -in r.csr -noout -verfy
req -in r.csr -noout -aes128""",
    "req": """\
req -new -newkey rsa:100 -noenc -subj /CN=x -keyout new
req -new -newkey rsa: -noenc -subj /CN=x -keyout new
req -new -newkey ec -noenc -subj /CN=x -keyout new
req -new -newkey ec:r.pem -noenc -subj /CN=x -keyout new
req -new -newkey ec:P-256 -noenc -subj /CN=x -keyout new
req -new -newkey ec -pkeyopt rsa_keygen_bits:1024 -noenc -subj /CN=x -keyout new
req -new -newkey rsa:1024 -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=x -keyout new
req -new -newkey nosuch -noenc -subj /CN=x -keyout new
req -new -newkey x25519 -noenc -subj /CN=x -keyout new
req -new -newkey rsa:1024 -aes128 -passout pass:abcd -subj /CN=x -keyout new""",
}

"""Certificates as the guides and installers make them, by the real openssl alone: nothing of kpki
has a part in it.

Each recipe is a shell script that leaves its files in the folder where it runs.
"""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

# kubeadm: phases/certs/certlist.go and util/pkiutil; keyEncipherment stands in its certificates for
# ECDSA keys too. Variables: ALGORITHM (genrsa's bits, or a curve), DAYS, MASTERS (the
# administrators' group), NODE, ADDRESS.
_KUBEADM = r"""
key() {
    case $ALGORITHM in
        [0-9]*) openssl genrsa -traditional -out "$1.key" "$ALGORITHM" ;;
        *) openssl ecparam -name "$ALGORITHM" -genkey -noout -out "$1.key" ;;
    esac
}
ca() {      # file, CN
    key "$1"
    printf '%s\n' '[req]' 'distinguished_name=dn' 'x509_extensions=ca' '[dn]' '[ca]' \
        'basicConstraints=critical,CA:TRUE' \
        'keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign' \
        'subjectKeyIdentifier=hash' "subjectAltName=DNS:$2" > ca.cnf
    openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days "$DAYS" -config ca.cnf -out "$1.crt"
}
leaf() {    # file, signer, subject, usages, names
    key "$1"
    openssl req -new -key "$1.key" -subj "$3" -out "$1.csr"
    printf '%s\n' 'keyUsage=critical,digitalSignature,keyEncipherment' "extendedKeyUsage=$4" \
        'basicConstraints=critical,CA:FALSE' 'authorityKeyIdentifier=keyid' \
        ${5:+"subjectAltName=$5"} > leaf.cnf
    openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" \
        -set_serial "0x$(openssl rand -hex 8)" -days "${LEAF_DAYS:-365}" -extfile leaf.cnf \
        -out "$1.crt"
}
"""

KUBEADM_CONTROL_PLANE = _KUBEADM + r"""
mkdir -p etcd
ca ca kubernetes
ca front-proxy-ca front-proxy-ca
ca etcd/ca etcd-ca
service="DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
service="$service,DNS:kubernetes.default.svc.cluster.local"
leaf apiserver ca /CN=kube-apiserver serverAuth "DNS:$NODE,$service,IP:10.96.0.1,IP:$ADDRESS"
leaf apiserver-kubelet-client ca "/O=$MASTERS/CN=kube-apiserver-kubelet-client" clientAuth
leaf front-proxy-client front-proxy-ca /CN=front-proxy-client clientAuth
leaf apiserver-etcd-client etcd/ca "${ETCD_O:-}/CN=kube-apiserver-etcd-client" clientAuth
leaf etcd/healthcheck-client etcd/ca "${ETCD_O:-}/CN=kube-etcd-healthcheck-client" clientAuth
names="DNS:$NODE,DNS:localhost,IP:$ADDRESS,IP:127.0.0.1,IP:::1"
leaf etcd/server etcd/ca "/CN=$NODE" serverAuth,clientAuth "$names"
leaf etcd/peer etcd/ca "/CN=$NODE" serverAuth,clientAuth "$names"
leaf admin ca "/O=$MASTERS/CN=kubernetes-admin" clientAuth
leaf super-admin ca /O=system:masters/CN=kubernetes-super-admin clientAuth
leaf controller-manager ca /CN=system:kube-controller-manager clientAuth
leaf scheduler ca /CN=system:kube-scheduler clientAuth
leaf kubelet ca "/O=system:nodes/CN=system:node:$NODE" clientAuth
key sa
openssl pkey -in sa.key -pubout -out sa.pub
mkdir second
ALGORITHM=prime256v1
ca second/ca kubernetes
"""

# What joining leaves: the cluster's CA, a client certificate by way of a request, and the kubelet's
# own serving pair, which a CA signed that exists in its memory alone (pkg/kubelet/certificate,
# client-go's GenerateSelfSignedCertKey).
KUBEADM_WORKER = _KUBEADM + r"""
ca ca kubernetes
leaf kubelet ca "/O=system:nodes/CN=system:node:$NODE" clientAuth
ALGORITHM=prime256v1
leaf kubelet-server ca "/O=system:nodes/CN=system:node:$NODE" serverAuth "DNS:$NODE,IP:$ADDRESS"
LEAF_DAYS=-1
leaf kubelet-old ca "/O=system:nodes/CN=system:node:$NODE" clientAuth
"""
KUBELET_SERVING = _KUBEADM + r"""
ca own "$NODE-ca@1764000000"
leaf serving own "/CN=$NODE@1764000000" serverAuth "DNS:$NODE"
cat own.crt >> serving.crt
rm own.*
"""

# Kubernetes the Hard Way, docs/04 (4096 bits there). Its ca.conf has a section for each name; these
# are the same sections, written in a loop, the two slips of its names included (system:system:,
# kubernetes.svc.cluster.local).
HARD_WAY = r"""
section() {     # name, comment, nsCertType, usages, SAN, subject
    printf '%s\n' "[$1]" "distinguished_name = $1_dn" 'prompt = no' "req_extensions = $1_ext" \
        "[$1_ext]" 'basicConstraints = CA:FALSE' "extendedKeyUsage = $4" \
        'keyUsage = critical, digitalSignature, keyEncipherment' "nsCertType = $3" \
        "nsComment = \"$2 Certificate\"" ${5:+"subjectAltName = $5"} 'subjectKeyIdentifier = hash' \
        "[$1_dn]"
    shift 5
    printf '%s\n' "$@"
}
{
    printf '%s\n' '[req]' 'distinguished_name = dn' 'prompt = no' 'x509_extensions = ca' '[ca]' \
        'basicConstraints = CA:TRUE' 'keyUsage = cRLSign, keyCertSign' '[dn]' 'C = US' \
        'ST = Washington' 'L = Seattle' 'CN = CA'
    section admin 'Admin Client' client clientAuth '' 'CN = admin' 'O = system:masters'
    section service-accounts 'Admin Client' client clientAuth '' 'CN = service-accounts'
    place='C = US
ST = Washington
L = Seattle'
    both='clientAuth, serverAuth'
    section node-0 Node-0 client "$both" 'DNS:node-0, IP:127.0.0.1' 'CN = system:node:node-0' \
        'O = system:nodes' "$place"
    for name in kube-proxy:system:node-proxier \
            kube-controller-manager:system:kube-controller-manager \
            kube-scheduler:system:system:kube-scheduler; do
        section "${name%%:*}" "${name%%:*}" client "$both" "DNS:${name%%:*}, IP:127.0.0.1" \
            "CN = system:${name%%:*}" "O = ${name#*:}" "$place"
    done
    section kube-api-server 'Kube API Server' 'client, server' "$both" @names 'CN = kubernetes' \
        "$place"
    printf '%s\n' '[names]' 'IP.0 = 127.0.0.1' 'IP.1 = 10.32.0.1' 'DNS.0 = kubernetes' \
        'DNS.1 = kubernetes.default' 'DNS.2 = kubernetes.default.svc' \
        'DNS.3 = kubernetes.default.svc.cluster' 'DNS.4 = kubernetes.svc.cluster.local' \
        'DNS.5 = server.kubernetes.local' 'DNS.6 = api-server.kubernetes.local'
} > ca.conf
openssl genrsa -out ca.key 2048
openssl req -x509 -new -sha512 -noenc -key ca.key -days 3653 -config ca.conf -out ca.crt
for i in admin node-0 kube-proxy kube-scheduler kube-controller-manager kube-api-server \
    service-accounts; do
    openssl genrsa -out "$i.key" 2048
    openssl req -new -key "$i.key" -sha256 -config ca.conf -section "$i" -out "$i.csr"
    openssl x509 -req -days 3653 -in "$i.csr" -copy_extensions copyall -sha256 -CA ca.crt \
        -CAkey ca.key -CAcreateserial -out "$i.crt"
done
"""

# kubespray: roles/kubernetes/secrets (make-ssl.sh.j2, openssl-master.conf.j2, openssl-node.conf.j2)
# and roles/etcd (make-ssl-etcd.sh, openssl.conf.j2), for the master m1 and the worker w1.
KUBESPRAY = r"""
config() {      # file, names
    printf '%s\n' '[req]' 'req_extensions = v3_req' 'distinguished_name = req_distinguished_name' \
        '[req_distinguished_name]' '[ v3_req ]' 'basicConstraints = CA:FALSE' \
        'keyUsage = nonRepudiation, digitalSignature, keyEncipherment' \
        'subjectAltName = @alt_names' '[ ssl_client ]' 'extendedKeyUsage = clientAuth, serverAuth' \
        'basicConstraints = CA:FALSE' 'subjectKeyIdentifier=hash' \
        'authorityKeyIdentifier=keyid,issuer' 'subjectAltName = @alt_names' '[alt_names]' > "$1"
    shift
    printf '%s\n' "$@" >> "$CONFIG"
}
gen_ca() {
    openssl genrsa -out "$1-key.pem" 2048
    openssl req -x509 -new -nodes -key "$1-key.pem" -days 10000 -out "$1.pem" -subj "/CN=$2"
}
gen_key_and_cert() {    # signer, section, name, subject
    openssl genrsa -out "$3-key.pem" 2048
    openssl req -new -key "$3-key.pem" -out "$3.csr" -subj "$4" -config "$CONFIG"
    openssl x509 -req -in "$3.csr" -CA "$1.pem" -CAkey "$1-key.pem" -CAcreateserial -out "$3.pem" \
        -days 3650 -extensions "$2" -extfile "$CONFIG"
}
gen_ca ca kube-ca
gen_ca front-proxy-ca front-proxy-ca
openssl genrsa -out service-account-key.pem 2048
CONFIG=master.conf
config master.conf 'DNS.1 = kubernetes' 'DNS.2 = kubernetes.default' \
    'DNS.3 = kubernetes.default.svc' 'DNS.4 = kubernetes.default.svc.cluster.local' \
    'DNS.5 = localhost' 'DNS.6 = m1' 'IP.1 = 10.0.0.31' 'IP.2 = 10.0.0.31' 'IP.3 = 10.233.0.1' \
    'IP.4 = 127.0.0.1'
gen_key_and_cert ca v3_req apiserver /CN=kube-apiserver
cat ca.pem >> apiserver.pem
gen_key_and_cert ca v3_req kube-scheduler /CN=system:kube-scheduler
gen_key_and_cert ca v3_req kube-controller-manager /CN=system:kube-controller-manager
gen_key_and_cert front-proxy-ca v3_req front-proxy-client /CN=front-proxy-client
gen_key_and_cert ca v3_req admin-m1 /CN=kube-admin-m1/O=system:masters
for host in m1:10.0.0.31 w1:10.0.0.32; do
    CONFIG="${host%%:*}-openssl.conf"
    config "$CONFIG" 'DNS.1 = localhost' "DNS.2 = ${host%%:*}" "IP.1 = ${host#*:}" \
        'IP.2 = 127.0.0.1'
    gen_key_and_cert ca v3_req "node-${host%%:*}" "/CN=system:node:${host%%:*}/O=system:nodes"
    gen_key_and_cert ca v3_req "kube-proxy-${host%%:*}" /CN=system:kube-proxy/O=system:node-proxier
done
mkdir etcd
cd etcd
CONFIG=openssl.conf
config openssl.conf 'DNS.1 = localhost' 'DNS.2 = m1' 'IP.1 = 10.0.0.31' 'IP.2 = 127.0.0.1'
gen_ca ca etcd-ca
for name in member-m1:member-m1 admin-m1:admin-m1 node-m1:node-m1 node-w1:node-w1; do
    gen_key_and_cert ca ssl_client "${name%%:*}" "/CN=etcd-${name#*:}"
done
"""

# CoreOS, "Cluster TLS using OpenSSL": no extendedKeyUsage. The worker's subject is a node's, as the
# Node authorizer has wanted it since, and its only name an address.
COREOS = r"""
config() {
    printf '%s\n' '[req]' 'req_extensions = v3_req' 'distinguished_name = req_distinguished_name' \
        '[req_distinguished_name]' '[ v3_req ]' 'basicConstraints = CA:FALSE' \
        'keyUsage = nonRepudiation, digitalSignature, keyEncipherment' \
        'subjectAltName = @alt_names' '[alt_names]' "$@"
}
config 'DNS.1 = kubernetes' 'DNS.2 = kubernetes.default' 'DNS.3 = kubernetes.default.svc' \
    'DNS.4 = kubernetes.default.svc.cluster.local' \
    'IP.1 = 10.3.0.1' 'IP.2 = 10.0.0.40' > openssl.cnf
config 'IP.1 = $ENV::WORKER_IP' > worker-openssl.cnf
openssl genrsa -out ca-key.pem 2048
openssl req -x509 -new -nodes -key ca-key.pem -days 10000 -out ca.pem -subj /CN=kube-ca
openssl genrsa -out apiserver-key.pem 2048
openssl req -new -key apiserver-key.pem -out apiserver.csr -subj /CN=kube-apiserver \
    -config openssl.cnf
openssl x509 -req -in apiserver.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial \
    -out apiserver.pem -days 365 -extensions v3_req -extfile openssl.cnf
for host in w1.example.com:10.0.0.41 m1.example.com:10.0.0.40; do
    export WORKER_IP="${host#*:}"
    name="${host%%:*}"
    openssl genrsa -out "$name-worker-key.pem" 2048
    openssl req -new -key "$name-worker-key.pem" -out "$name-worker.csr" \
        -subj "/O=system:nodes/CN=system:node:$name" -config worker-openssl.cnf
    openssl x509 -req -in "$name-worker.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial \
        -out "$name-worker.pem" -days 365 -extensions v3_req -extfile worker-openssl.cnf
done
openssl genrsa -out admin-key.pem 2048
openssl req -new -key admin-key.pem -out admin.csr -subj /CN=kube-admin/O=system:masters
openssl x509 -req -in admin.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out admin.pem \
    -days 365
"""

# A worker's pair on P-256 for the CoreOS places, and all that a variant may put there instead:
# another CA of the same name and what it signed, an intermediate CA, the keys in other forms,
# something that is long past.
WORKER = r"""
ec() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
ca() { ec "$1-key.pem"; openssl req -x509 -new -key "$1-key.pem" -subj "$2" -days 3650 \
    -out "$1.pem" -addext 'keyUsage=critical,keyCertSign,cRLSign'; }
sign() {    # name, signer, days: a certificate for worker-key.pem
    openssl x509 -req -in worker.csr -CA "$2.pem" -CAkey "$2-key.pem" -CAcreateserial -days "$3" \
        -extfile worker.cnf -out "$1.pem"
}
printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
    'extendedKeyUsage=serverAuth,clientAuth' 'subjectAltName=DNS:worker-1,IP:10.0.0.21' \
    'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' > worker.cnf
printf '%s\n' 'basicConstraints=critical,CA:TRUE,pathlen:0' 'keyUsage=critical,keyCertSign' \
    'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' > middle.cnf
ca ca /CN=kubernetes
ca new /CN=kubernetes
ca other /CN=elsewhere
ec worker-key.pem
ec another-key.pem
openssl req -new -key worker-key.pem -subj /O=system:nodes/CN=system:node:worker-1 -out worker.csr
sign worker ca 365
sign by-new new 365
sign by-other other 365
sign long ca 10000
sign past ca -1
ec middle-key.pem
openssl req -new -key middle-key.pem -subj /CN=kubernetes-issuing -out middle.csr
openssl x509 -req -in middle.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 3650 \
    -extfile middle.cnf -out middle.pem
sign by-middle middle 365
openssl req -x509 -new -key ca-key.pem -subj /CN=kubernetes -days 10000 -out ca-long.pem
openssl pkcs8 -topk8 -nocrypt -in worker-key.pem -out worker-pkcs8.pem
{ openssl ecparam -name prime256v1; cat worker-key.pem; } > worker-sec1.pem
openssl pkcs8 -topk8 -in worker-key.pem -passout pass:secret -out worker-encrypted.pem
openssl x509 -in worker.pem -outform DER -out worker.der
openssl pkey -in worker-key.pem -outform DER -out worker-key.der
openssl x509 -in worker.pem -text -out worker-text.pem
openssl x509 -in ca.pem -text -out ca-text.pem
openssl x509 -in worker.pem -noout -text > text
"""


def run(script: str, folder: Path, **variables: str) -> Path:
    """Run a recipe in *folder*; the folder. Every command of it must succeed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["sh", "-euc", script], cwd=folder, env=os.environ | variables,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    return folder

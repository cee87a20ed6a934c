"""Answers to the exercises, as commands after the lesson's end.

WRONG_ANSWERS: (lesson, number of the exercise, commands, a part of the reason).
OTHER_ANSWERS: (lesson, number of the exercise, commands).
"""
from __future__ import annotations

CA = ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout x.key"
      " -subj /CN=kubernetes -out x.crt\n")
WORKER = """cd worker-2
openssl req -new -key worker-key.pem -out csr -subj {subject} \
  -addext subjectAltName=DNS:worker-2,IP:192.0.2.12
openssl x509 -req -in csr -CA ../{ca}.crt -CAkey ../{ca}.key -CAcreateserial {options} \
  -copy_extensions copyall -out worker.pem
"""
NODE = "/O=system:nodes/CN=system:node:worker-2"
GOOD = ("openssl x509 -req -in {csr}.csr -CA good-ca.crt -CAkey ca.key -CAcreateserial"
        " -extfile {conf} -extensions v3_ext -out good.crt\n")
SAN = ("openssl x509 -req -in {csr}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {days}"
       " -extfile san.cnf -out apiserver.crt\n")
SSL = "worker-2/etc/kubernetes/ssl/"
LOST = ("openssl x509 -req -in ca/worker-2.csr -CA ca/ca.crt -CAkey ca/ca.key -CAcreateserial"
        f" -extfile ca/node.cnf -out {SSL}worker.pem\n")
KUBELET = "cp safe/*.key .; ./issue kubelet {ca} {usage} {san} 365; rm -f ca.key other.key\n"
# Of the exercises tree-2 to tree-6: wrong causes, and a part of what is said of each.
FAULTS = (
    (("wrong-eku", "another fault"), ("expired", "no entry"), ("bad-pem", "no PEM")),
    (("key-cert-mismatch", "another fault"), ("expired-ca", "has expired"),
     ("CA", "trust beforehand")),
    (("unknown-authority", "another fault"), ("missing-san-dns", "lacks a DNS name"),
     ("wrongeku", "no entry")),
    (("wrong-node-identity", "another fault"), ("missing-san-ip", "IP address"),
     ("san", "list of a server")),
    (("file-missing", "another fault"), ("unknown-authority", "not signed"), ("''", "no entry")),
)

WRONG_ANSWERS: list[tuple[str, int, str, str]] = [
    ("certificate", 0, "rm -r worker-2", "worker-2"),
    ("certificate", 0,
     "cp worker-1.crt worker-2/worker.pem; cp worker-1.key worker-2/worker-key.pem",
     "certificate belongs to node worker-1"),
    ("certificate", 0, "cp worker-1.key worker-2/worker-key.pem",
     "private key is not the one that the certificate is for"),
    ("certificate", 0, "rm worker-2/worker-key.pem",
     "error    file-missing         worker-key.pem"),
    ("certificate", 0, WORKER.format(subject="/CN=worker-2", ca="ca", options=""),
     "does not name the node"),
    ("certificate", 0, WORKER.format(subject=NODE, ca="ca", options="-days 0"), "expired"),
    ("certificate", 0, CA + WORKER.format(subject=NODE, ca="x", options=""), "sign"),
    ("authority", 0, "rm good.crt", "good.crt: no such file"),
    ("authority", 0, "cp ca.crt good-ca.crt", "CA cert does not include key usage extension"),
    ("authority", 0, GOOD.format(csr="server", conf="csr.conf"),
     "names the serial number of its CA"),
    ("authority", 0, "sed -i /^IP.1/d good.conf\n" + GOOD.format(csr="server", conf="good.conf"),
     "x509: certificate is valid for 10.96.0.1, not 192.0.2.10"),
    ("authority", 0,
     "openssl req -new -newkey rsa:2048 -noenc -keyout x.key -subj /CN=x -out x.csr\n"
     + GOOD.format(csr="x", conf="good.conf"), "good.crt is not for server.key"),
    ("names", 0, "sed -i s/IP.2/#/ san.cnf\n" + SAN.format(csr="first", days=365),
     "x509: certificate is valid for 192.0.2.10, not 10.96.0.1"),
    ("names", 0, "sed -i s/IP/DNS.6/ san.cnf\n" + SAN.format(csr="first", days=365),
     "doesn't contain any IP SANs"),
    ("names", 0, "sed -i /DNS.2/d san.cnf\n" + SAN.format(csr="first", days=365),
     "A client that calls kubernetes.default refuses it"),
    ("names", 0, SAN.format(csr="first", days=0), "x509: certificate has expired"),
    ("names", 0, "openssl genrsa -out apiserver.key 2048", "not for apiserver.key"),
    ("identity", 0, f"cp worker-1.crt {SSL}worker.pem; cp worker-1.key {SSL}worker-key.pem",
     "certificate belongs to node worker-1, and this is worker-2"),
    ("identity", 0, "./issue worker-2 /O=system:nodes/O=system:masters/CN=system:node:worker-2;"
     f" cp worker-2.crt {SSL}worker.pem; cp worker-2.key {SSL}worker-key.pem", "more groups"),
    ("identity", 0, f"cp worker-1.key {SSL}worker-key.pem", "private key is not the one"),
    ("identity", 0, f"cp alice.crt {SSL}worker.pem; cp alice.key {SSL}worker-key.pem",
     "certificate belongs to 'alice', which is no node"),
    ("worker", 0, f": > {SSL}worker.pem", "the file is empty"),
    ("worker", 0, "sed -i s/,serverAuth// ca/node.cnf\n" + LOST, "serverAuth"),
    ("worker", 0, "sed -i s/2.12/2.13/ ca/node.cnf\n" + LOST, "not 192.0.2.12"),
    ("worker", 0, f"openssl genrsa -out {SSL}worker-key.pem 2048", "private key is not the one"),
    ("tls", 0, KUBELET.format(ca="ca", usage="clientAuth", san="DNS:kubelet.example"),
     "client: verify error:num=26:unsuitable certificate purpose"),
    ("tls", 0, KUBELET.format(ca="other", usage="clientAuth,serverAuth", san="DNS:kubelet.example"),
     "client: verify error:num=20:unable to get local issuer certificate"),
    ("tls", 0, KUBELET.format(ca="ca", usage="clientAuth,serverAuth", san="DNS:kubelet"),
     "client: verify error:num=62:hostname mismatch"),
    ("tls", 0, "rm kubelet.crt", "There is no kubelet.crt"),
    ("tls", 0, "openssl genrsa -out kubelet.key", "Private key does not match"),
    ("tls", 0, "cp safe/ca.key .", "outside of the safe"),
    ("cluster", 0, "rm cp-1/etc/kubernetes/scheduler.conf", "There is no such kubeconfig."),
    ("cluster", 0, "cd cp-1/etc/kubernetes; cp controller-manager.conf scheduler.conf",
     "kube-controller-manager"),
    ("cluster", 0, "sed -i s/client-key-data/key/ cp-1/etc/kubernetes/scheduler.conf", "scheduler"),
    ("cluster", 0, "./kubeconfig scheduler.conf /CN=scheduler", "scheduler"),
    *(("faults", number, f"echo {wrong} > answer-{number + 2}", reason)
      for number, answers in enumerate(FAULTS) for wrong, reason in answers),
    ("faults", 5, "./issue tree-4 ca 365 serverAuth DNS:worker-2,IP:192.0.2.12", "clientAuth"),
    ("faults", 5, "./issue tree-4 other 365 clientAuth,serverAuth DNS:worker-2", "another key"),
    ("faults", 5, "rm tree-4/etc/kubernetes/ssl/worker-key.pem", "file is missing"),
    ("time", 0, "cp both.crt trust.crt", "trust.crt still trusts the old CA."),
    ("time", 0, "./issue server ca 365", "x509: certificate signed by unknown authority"),
    ("time", 0, "./issue server next 200", "does not last 300 days"),
    ("time", 0, "rm server.key; ./issue server next 365", "another key than before"),
]
OTHER_ANSWERS: list[tuple[str, int, str]] = [
    ("certificate", 0, "rm -r worker-2; kpki node issue worker-2 --ca ca.crt --ca-key ca.key"
     " --address 192.0.2.12 --server https://192.0.2.10:6443 --out ."),
    ("certificate", 0, WORKER.format(subject=NODE, ca="ca", options="-days 30")),
    ("authority", 0, "kpki req -x509 -new -noenc -key ca.key -subj /CN=kubernetes -days 30"
     " -addext keyUsage=critical,keyCertSign,cRLSign -out good-ca.crt\n"
     + GOOD.format(csr="server", conf="good.conf")),
    ("names", 0, "openssl req -new -key apiserver.key -subj /CN=any -addext subjectAltName=DNS:"
     "kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:api.example.net,"
     "DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:192.0.2.10 -out x.csr; openssl x509"
     " -req -in x.csr -CA ca.crt -CAkey ca.key -copy_extensions copy -out apiserver.crt"),
    ("identity", 0, f"rm {SSL}*; kpki node issue worker-2 --ca ca.crt --ca-key ca.key --address"
     " 192.0.2.12 --server https://192.0.2.10:6443; cp -r nodes/worker-2/etc worker-2/"),
    ("worker", 0, f"rm {SSL}*; kpki node issue worker-2 --ca ca/ca.crt --ca-key ca/ca.key --address"
     " 192.0.2.12 --server https://192.0.2.10:6443; cp -r nodes/worker-2/etc worker-2/"),
    ("tls", 0, "kpki genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out kubelet.key\n"
     "kpki req -new -key kubelet.key -subj /CN=x -addext extendedKeyUsage=serverAuth,clientAuth"
     " -addext subjectAltName=DNS:kubelet.example -out k.csr; kpki x509 -req -in k.csr -CA ca.crt"
     " -CAkey safe/ca.key -set_serial 77 -copy_extensions copy -out kubelet.crt"),
    ("cluster", 0, "openssl req -new -newkey rsa:2048 -noenc -keyout s.key -subj"
     " /CN=system:kube-scheduler -out s.csr; openssl x509 -req -in s.csr -CA {0}/ca.crt -CAkey"
     " {0}/ca.key -out s.crt; sed -e /client-certificate-data/d -e 's/client-key-data: .*/"
     "client-certificate: {1}\\n    client-key: {1}/' cp-1/etc/kubernetes/scheduler.conf > new;"
     " cat s.crt s.key > cp-1/etc/kubernetes/s.pem; chmod 600 cp-1/etc/kubernetes/s.pem;"
     " cp new cp-1/etc/kubernetes/scheduler.conf".format("cp-1/etc/kubernetes/pki", "s.pem")),
    ("faults", 5, "rm tree-4/etc/kubernetes/ssl/w*; kpki node issue worker-2 --ca ca.crt --ca-key"
     " ca.key --address 192.0.2.12 --server https://192.0.2.10:6443; cp -r nodes/worker-2/etc"
     " tree-4/"),
    ("time", 0, "kpki x509 -req -in server.csr -CA next.crt -CAkey next.key -CAcreateserial"
     " -copy_extensions copy -days 400 -out server.crt"),
]

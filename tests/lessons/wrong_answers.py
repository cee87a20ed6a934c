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
]
OTHER_ANSWERS: list[tuple[str, int, str]] = [
    ("certificate", 0, "rm -r worker-2; kpki node issue worker-2 --ca ca.crt --ca-key ca.key"
     " --address 192.0.2.12 --server https://192.0.2.10:6443 --out ."),
    ("certificate", 0, WORKER.format(subject=NODE, ca="ca", options="-days 30")),
]

"""What each openssl command does, as functions over values: no disk, nothing of Kubernetes.

- keys, requests, certificates: genrsa and genpkey; req -new; req -x509 and x509 -req
- serials: random serial numbers, and the file of `-CAserial`
- conversion, signatures: x509 and req on what exists; whether a key made a signature
- config, modules: the configuration file, and what a configuration makes openssl load
- names, strings, dialogue: distinguished names, their string types, the questions of req
- extensions/: a section → extensions: a table of kinds, and the languages of values
- verification/, handshake: whether a certificate is valid; whether two sides can connect
- text/: -text, -subject and everything else that openssl prints
- traps: warnings about what openssl accepts and people regret
- der, objects, points: DER, the object identifiers, points on curves
"""

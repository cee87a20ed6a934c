"""What one openssl command does, as functions over values: no disk, no clock of its own, nothing of Kubernetes.

keys, requests, certificates   genrsa and genpkey; req -new; req -x509 and x509 -req; conversion is x509 and req on what
                               is there already, signatures whether a key signed it
config, names, dialogue        the configuration file, distinguished names, the prompting dialogue; modules is what a
                               configuration loads, strings which ASN.1 type text becomes, traps what people get wrong
extensions/                    a section → extensions: the table of kinds and the languages of their values
verification/, handshake       whether a certificate holds; whether two sides would talk
text/                          -text, -subject and all else that is printed
der, objects, points           DER, the object identifiers, points on curves
"""

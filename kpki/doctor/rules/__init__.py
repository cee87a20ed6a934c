"""The table of wordings: what programs write in a log, and the cause that the words name.

The first row that matches a line counts, so what is deeper stands first. A missing file stands
before what fails for lack of the file, the reason of a refusal before the refusal.

The wordings are those of Go's crypto/x509 and crypto/tls (verify.go, parser.go, tls.go, alert.go),
OpenSSL's x509_txt.c and error tables, client-go, Kubernetes, etcd; those of Java, .NET, GnuTLS,
rustls, mbedTLS, NSS, Erlang, Node.js and HAProxy.
"""
from __future__ import annotations

from .files import FILES
from .identity import IDENTITY
from .keys import KEYS
from .libraries import LIBRARIES
from .rule import LogRule as LogRule
from .x509 import CHAINS, HARMLESS, REFUSALS

LOG_RULES = (*FILES, *IDENTITY, *KEYS, *LIBRARIES, *CHAINS, *REFUSALS, *HARMLESS)

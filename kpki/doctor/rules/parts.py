"""Pieces of patterns that several rows share."""
from __future__ import annotations

# The files that hold certificates, keys and kubeconfigs.
FILE = (r"(?P<file>(?<![\w./\\%+=@-])(?:[A-Za-z]:)?(?:[/\\]|\.{1,2}/"
r"|~/)?[\w.@%+=\[\]-]*(?:[/\\][\w.@%+=-]+)*?(?:"
         r"\.(?:crt|cert|cer|pem|key|pub|p12|pfx|csr|kubeconfig)|/?[Kk]ubeconfig(?:\.(?:ya?ml"
         r"|conf))?"
         r"|/\.kube/config|/(?:k3s|rke2)\.yaml|/kubernetes/[\w-]+\.conf"
         r"|/?(?:admin|kubelet|scheduler|controller-manager|bootstrap)\.conf))(?![\w-])")
MISSING = (r"(?i:no such file|is a directory|does(?:n't| not) exist|could not be found"
            r"|cannot find the (?:file|path))")
CURRENT = r"(?P<file>(?<![\w./-])[\w./-]{0,200}?kubelet-client-current\.pem)"
NODE_NAME = r"[\w.-]+"
QUOTE = r"[\"']?"
# Who refuses a client's certificate: a server's log speaks of the client.
OF_CLIENT = (r"(?i:Unable to authenticate the request|TLS handshake error|rejected connection"
              r"|verify client(?:'s)? certificate|verifying certificate SN=|\bclient[- ]cert"
              r"|existing bootstrap client|client certificate|admin\.conf|kubelet\.conf"
              r"|-client\b(?!-go)|front-proxy-client|(?:scheduler|controller-manager)\.conf)")
KUBELET_PORT = (r":10250\b|dialing backend|containerLogs|kubelet_summary|[Ff]ailed to scrape node"
                 r"|fully (?:scrape|collect) metrics|stats/summary|error trying to reach service"
                 r"|/metrics/resource|any IP SANs\\*\" node=")
ETCD = (r":23(?:79|80)\b|\brafthttp\b|health check for peer|prober detected"
         r"|\bpeer\b(?! certificate)|etcd"
         r"|rejected connection")
OUTSIDE = (r"(?i:/v2/|pull(?:ing)? image|\bregistry\b|failed to (?:do request|resolve reference)"
            r"|ImagePull|oidc|\.well-known|oauth|keycloak|\bdex\b|ingress\.local|Fake Certificate"
            r"|helm repo|index\.yaml|error response from daemon"
            r"|failed calling (?:admission )?webhook"
            r"|failed to call webhook|\bacme\b|letsencrypt|//dl\.k8s\.io|storage\.googleapis"
            r"|//(?:[\w-]+\.)*(?:docker\.io|docker\.com|gcr\.io|quay\.io|ghcr\.io|github\.com"
            r"|gitlab\.com|githubusercontent\.com)\b"
            r"|x509: certificate signed by unknown authority.{0,40}manifests/)")
UNKNOWN_CA = r"(?:certificate signed by unknown authority|UnknownIssuer)"
EXPIRED = (r"(?:certificate has expired|certificate is expired"
           r"|(?<!alert )certificate expired|CERT_HAS_EXPIRED"
            r"|CertificateExpiredException|invalid peer certificate: Expired)")
ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?)"

"""Pieces of patterns that several rows share."""
from __future__ import annotations

# The files that hold certificates, keys and kubeconfigs.
FILE_NAME = (r"(?P<file>(?<![\w./\\%+=@-])(?:[A-Za-z]:)?(?:[/\\]|\.{1,2}/"
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
              r"|verify client(?:'s)? certificate|client SSL certificate|verifying certificate SN="
              r"|\bclient[- ]cert"
              r"|existing bootstrap client|client certificate|admin\.conf|kubelet\.conf"
              r"|(?<!\"etcd)-client\b(?!-go)|front-proxy-client|(?:scheduler|controller-manager)\.conf)")
KUBELET_PORT = (r":10250\b|dialing backend|containerLogs|kubelet_summary|[Ff]ailed to scrape node"
                 r"|fully (?:scrape|collect) metrics|stats/summary|error trying to reach service"
                 r"|/metrics/resource|any IP SANs\\*\" node=")
OF_ETCD = (r":23(?:79|80)\b|\brafthttp\b|health check for peer|prober detected"
         r"|\bpeer\b(?! certificate)|etcd"
         r"|rejected connection")
OUTSIDE = (r"(?i:/v2/|pull(?:ing)? image|\bregistry\b|failed to (?:do request|resolve reference)"
            r"|ImagePull|oidc|\.well-known|oauth|keycloak|\bdex\b|ingress\.local|Fake Certificate"
            r"|helm repo|index\.yaml|error response from daemon"
            r"|failed calling (?:admission )?webhook"
            r"|failed to call webhook|\bacme\b|letsencrypt|//dl\.k8s\.io|storage\.googleapis"
            r"|\bgit (?:cmd|fetch|clone|ls-remote|pull)\b|fatal: unable to access"
            r"|//(?![^/\s\"]{0,200}\.svc\b)(?:[\w-]+\.)*"
            r"(?:git(?:lab|ea|hub)?|bitbucket|harbor|nexus|artifactory|quay|registry|nuget|npm)"
            r"(?:-\w+)?\.[\w.-]"
            r"|//(?:[\w-]+\.)*(?:docker\.io|docker\.com|gcr\.io|quay\.io|ghcr\.io|github\.com"
            r"|gitlab\.com|githubusercontent\.com)\b"
            # a host with a name, at HTTPS' own port, and a path that no component of a cluster has
            r"|https://(?:[a-z0-9-]+\.)+[a-z]{2,20}(?<!\.svc)(?<!\.local)(?<!\.internal)/"
            r"(?!apis?\b|version|healthz|readyz|livez|openapi|metrics|cacerts|v1-|v3/|ping)[\w.-]"
            r"|/realms/|openid-connect"
            r"|x509: certificate signed by unknown authority.{0,40}manifests/)")
UNKNOWN_CA = r"(?:certificate signed by unknown authority|UnknownIssuer)"
# The other libraries' words for that.
NOT_TRUSTED = (
    rf"(?:{UNKNOWN_CA}"
    # OpenSSL, Node.js, wget
    r"|(?i:unable[ _]to[ _]get[ _](?:local[ _])?issuer[ _]cert)"
    r"|(?i:self[- _]signed[ _]cert\w*?[ _]in[ _](?:cert\w*[ _])?chain)"
    r"|(?i:unable to verify the (?:first|leaf)|UNABLE_TO_VERIFY_LEAF)|(?<![\w_])CERT_UNTRUSTED"
    r"|(?i:certificate[ _]signature[ _]failure)|CERT_SIGNATURE_FAILURE"
    r"|to locally verify the issuer's authority|doesn.t have a known issuer"
    # Java
    r"|PKIX path (?:building|validation) failed|unable to find valid certification path"
    r"|[Nn]o trusted certificate found|does not chain with any of the trust anchors"
    # .NET, Windows
    r"|\bPartialChain\b|\bUntrustedRoot\b|\bNotSignatureValid\b|\bExplicitDistrust\b"
    r"|CERT_TRUST_IS_(?:UNTRUSTED_ROOT|PARTIAL_CHAIN)|SEC_E_UNTRUSTED_ROOT"
    r"|issued by an authority that is not trusted|not trusted by the trust provider"
    r"|could not be built to a trusted root"
    # GnuTLS, mbedTLS, NSS, macOS, Chromium
    r"|certificate issuer is unknown|certificate signer not trusted"
    r"|(?<!CRL is )not correctly signed by the trusted CA|BADCERT_NOT_TRUSTED"
    r"|issuer is not recognized|issuer has been marked as not trusted"
    r"|problem: (?:Invalid certificate chain|(?:Untrusted|No) root certificate)"
    r"|ERR_CERT_AUTHORITY_INVALID"
    # HAProxy, Erlang, rustls
    r"|SSL client (?:CA chain cannot be verified|certificate not trusted)"
    r"|\bbad_cert,\s?\{?(?:unknown_ca|selfsigned_peer|invalid_issuer|invalid_signature)"
    r"|generated (?:CLIENT|SERVER) ALERT: Fatal - Unknown CA"
    r"|invalid (?:peer )?certificate: BadSignature|InvalidSignatureForPublicKey"
    r"|invalid certificate signature(?! type))")
# The words of Go and OpenSSL, rustls, Java, .NET, Windows, GnuTLS, mbedTLS, NSS, macOS, Erlang.
EXPIRED = (r"(?:certificate has expired|certificate is expired"
           r"|(?<!alert )certificate expired|CERT_HAS_EXPIRED"
           r"|invalid (?:peer )?certificate: (?:Expired|CertExpired)|\bCertExpired\b"
           r"|CertificateExpiredException|validity check failed|timestamp check failed"
           r"|Exception: NotAfter: |certificate chain: (?:\w+, )*NotTimeValid"
           r"|CERT_TRUST_IS_NOT_TIME_VALID|SEC_E_CERT_EXPIRED|not within its validity period"
           r"|chain uses expired certificate|certificate expiration date has passed"
           r"|certificate validity has expired|BADCERT_EXPIRED|Peer's Certificate has expired"
           r"|chain had an expired certificate"
           r"|received certificate has expired|Issued certificate has expired"
           r"|[Tt]he certificate of \S{1,200} has expired|ERR_CERT_DATE_INVALID"
           r"|\bbad_cert,\s?\{?cert_expired)")
ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?)"

"""Rows for certificates that one side refuses: Go's, OpenSSL's and other libraries' words."""
from __future__ import annotations

from .parts import (
    ADDRESS,
    EXPIRED,
    KUBELET_PORT,
    NOT_TRUSTED,
    OF_CLIENT,
    OF_ETCD,
    OUTSIDE,
    UNKNOWN_CA,
)
from .rule import LogRule

_DATES = r"(?:.*?current time (?P<now>\S+) is after (?P<not_after>[^\s\"',\])]+))?"
_CANDIDATE = r"(?:.*candidate authority certificate \"(?P<ca>[^\"]*)\")?"
_NOT_ADDRESS = rf"(?!{ADDRESS}(?![\w.:-])|[\d.]+(?![\w-]))"       # a cut address is one too
_LOOPBACK = r"\"(?:127\.[\d.]+|(?:[0:]+:)?:?1)\"[, ]*"
_ONE_HOST = rf"\[(?:{_LOOPBACK})*\"(?P<other>[^\"]+)\"[, ]*(?:{_LOOPBACK})*\]"
_LABEL = r"[\w*-][\w.*-]*"

CHAINS = (
    # an old library of the client, which knows no addresses: the certificate has this one
    LogRule("", "ertific", r"expected hostname: (?P<name>\S{1,300})\. Certificate: .{1,2000}?"
            r"\('(?:IP Address|DNS)', '(?P=name)'\)"),
    LogRule("front-proxy-ca", "ertific|requestheader|x509",
            r"candidate authority certificate \"(?P<ca>[^\"]*(?:front-proxy|requestheader)[^\"]*)\""
            r"|subject with cn=.{1,200} is not in the allowed list"
            r"|(?:doesn't provide|unable to (?:load|get|find)|missing) requestheader-client-ca"),
    LogRule("front-proxy-ca", "bad status from",
            r"bad status from https://\S+?/apis/\S+: 401"),
    LogRule("kubelet-serving-csr-pending", "ertific|x509",
            r"no (?:serving )?certificate av\S*(?:ailable)?(?: for)?(?: the kubelet)?"
            r"|[Cc]ertificate (?:request )?was not signed"
            r"|in the x509 CSR is not"),
    LogRule("kubelet-serving-csr-pending", "tls: ", r"remote error: tls: internal error",
            where=rf"{KUBELET_PORT}|^Error from server|kubelet|metrics|scrape"),
    LogRule("ca-pin-mismatch", "ublic key|ertific", r"none of the public keys "
            r"\"?(?P<pin>sha256:\w+)?.*"
            r"are pinned|(?:public key|CA(?: certificate)?) hash.*(?:does not|doesn't) match"),
    LogRule("kubeconfig-wrong-ca", "config file|ertific",
            r"(?:\"(?P<file>[^\"]+)\" )?exists already but has got the wrong CA cert"
            r"|certificate (?P<name>[\w-]+) (?:is )?not signed by "
            r"(?:CA certificate|(?:the )?corresponding CA)",
            unless=r"x509: certificate has expired"),
    LogRule("client-cert-not-presented", "ertific|routines:|atal alert",
            r"client didn't provide a certificate|(?i:alert[ _]certificate[ _]required)"
            r"|remote error: tls: certificate required"
            r"|(?i:peer[ _]did[ _]not[ _]return[ _]a[ _]cert)"
            r"|NSS: client certificate not found|No required SSL certificate was sent"
            r"|(?:no|without a|missing) (?:TLS )?client certificate (?:was )?(?:sent|provided"
            r"|present)"
            r"|certificate_required|fatal alert: CertificateRequired|RemoteCertificateNotAvailable"
            r"|client sent no required SSL certificate|peer sent no certificates"
            r"|did not send any certificate"
            r"|(?:Empty|null) (?:client |server )?cert(?:ificate)? chain"
            r"|: Certificate is required"),
    LogRule("external-ca", "x509|ertific|CERT|ValidatorException|SSL", rf"{NOT_TRUSTED}|valid for"
            rf"|{EXPIRED}|any IP SANs|self[- ]signed certificate|relies on legacy", where=OUTSIDE,
            unless=r"failed (?:calling|to call) (?:\w+ )?webhook.*(?:has expired"
            r"|valid for (?!ingress\.local)|any IP SANs|relies on legacy)"
            r"|possibly because of \"x509: |valid for .{0,900}?, not [\w.-]+\.svc\b"),
    LogRule("external-ca", "ertific", r"valid for (?:.*, )?ingress\.local"),
    LogRule("expired-ca", "ertific", r"candidate authority certificate|possibly because of",
            where=r"possibly because of \"?x509: certificate has expired" + _DATES),
    LogRule("ca-not-a-ca", "x509|ertific|depth lookup|verify error",
            r"parent certificate cannot sign this kind of certificate|(?i:invalid CA certificate)"
            r"|is not authorized to sign other certificates|certificate (?:\S{1,99} )?is not a CA\b"
            r"|certificate is not a certificate authority"
            r"|(?i:key usage does not include "
            r"certificate sign(?:ing)?)|CaUsedAsEndEntity|error (?:24|79) at \d+ depth"),
    LogRule("chain-depth", "x509|ertific|depth lookup|verify error",
            r"too many intermediates for path length constraint"
            r"|(?i:path length constraint exceeded)"
            r"|(?i:certificate chain too long)|PathLenConstraint|error 2[25] at \d+ depth"),
    LogRule("etcd-peer-cert", "x509|ertific", r"(?:health check for peer|prober detected unhealthy|"
            r"rafthttp).{0,600}?(?:x509: |tls: failed to verify|tls: bad certificate)",
            unless=r"remote error"),
    # the certificate of one other host; one with the addresses of several hosts is shared
    LogRule("wrong-node-identity", "tls: ",
            rf"\"?(?P<address>{ADDRESS})\"? does not match any of DNSNames"
            rf".*IPAddresses {_ONE_HOST}"),
    LogRule("wrong-node-identity", "tls: ",
            rf"\"ip-addresses\":{_ONE_HOST}.* does not match any of DNSNames"),
    LogRule("etcd-peer-cert", "tls: ",
            rf"(?:\"?(?P<address>{ADDRESS})\"? )?does not match any of DNSNames"),
    LogRule("malformed-x509", "is malformed",
            r"\bSAN (?:dNSName|rfc822Name|uniformResourceIdentifier) is malformed"),
    LogRule("malformed-x509", "x509|ertific|verify error|depth lookup|SSL",
            r"failed to parse (?:client )?certificate(?:s)? from (?:server|client)"
            r"|x509: (?:SAN |malformed(?! crl)|negative serial"
            r"|trailing data(?! after CRL)|invalid (?!signature)"
            r"|cannot parse"
            r"|inner and outer|certificate contains duplicate|RSA |zero or neg|empty name"
            r"|failed to(?! marsh| serial)"
            r"|unhandled critical|missing |IP constraint|internal error|improper|unsupported "
            r"(?:string|time)|issuer has name constraints|\S+ (?:key )?identifier (?:incorr"
            r"|extens))"
            r"|incorrectly marked critical|not authorized to sign for this name"
            r"|(?i:(?:permitted|excluded)[ _]subtree[ _]violation|unhandled critical extension)"
            r"|(?i:missing (?:authority|subject) key identifier|key identifier marked critical)"
            r"|(?i:unsupported (?:extension feature|name constraint|or invalid name))"
            r"|invalid or inconsistent certificate|(?:Issuer|Subject) name empty"
            r"|Subject empty and Subject Alt|cert extension requires at least"
            r"|invalid for non-CA cert"
            r"|given without key usage keyCertSign|and signature algorithm mismatch"
            r"|policy constraints \w+ field overflows|public key contains (?:large|zero)"
            r"|Ed25519 (?:key encoded|public key size)|(?i:format error in certificate)"
            r"|(?i:basic constraints of ca cert not marked critical)"
            r"|invalid peer certificate: BadEnc"
            r"|(?i:ca cert does not include key usage)|(?i:empty subject alternative name)",
            unless=r"x509: failed to (?:parse (?:EC )?private|load system)"),
    LogRule("not-yet-valid", "ertific|CERT",
            r"current time (?P<now>\S+) is before (?P<not_before>[^\s\"',\])]+)"
            r"|(?<!or is )not yet valid|is not valid yet|(?i:CERT_NOT_YET_VALID)|NotYetValid"
            r"|NotValidYet|error 9 at \d+ depth"),
    LogRule("not-yet-valid", "ertific",
            r"has expired or is not yet valid(?!: current)", writer="kubeadm",
            where=r"https?://", versions="Go before 1.14, which gives no dates: a new cluster's"),
    LogRule("expired-ca", "ertific|depth lookup|verify error", r"error 10 at [1-9]\d* depth"
            r"|failure loading ca cert.*expired"
            r"|(?:ca|etcd-ca|front-proxy-ca) certificate(?: file)? .{0,40}(?:has|is) expired"
            r"|for certificate (?:CA|(?:[a-z]+[-/])*ca): the certificate has expired"
            r"|depth=[1-9]\d* .{0,900}verify error:num=10:"
            r"|(?:cluster|root|signing) CA (?:certificate )?(?:has |is )?expired"
            r"|(?P<name>CA) certificate (?:(?:has )?expired"
            r"|is invalid.{1,200}certificate has expired)"),
    LogRule("expired-ca", "ertific", r"refusing to sign a certificate that expired in the past"),
    # what the controller manager tidies up
    LogRule("", "ertific", r"Cleaning CSR as the associated certificate is expired"),
    # events of k3s and RKE2
    LogRule("expired-ca", "ertific",
            r"certificate CN=(?P<name>[\w.-]{1,99}-ca(?:@\d+)?) expired at "
            r"(?P<not_after>[\w:.+-]+)"),
    LogRule("expired-client-cert", "ertific",
            r"(?:client-[\w-]{1,99}\.crt: certificate .{1,200}|certificate CN=[^ ]{1,200}"
            r",O=system:\S{1,99}) expired at (?P<not_after>[\w:.+-]+)"),
    LogRule("expired-server-cert", "ertific",
            r"certificate CN=\S{1,200} expired at (?P<not_after>[\w:.+-]+)"),
    # linkerd check lists the roots by serial number, and its issuer is a CA, too
    LogRule("expired-ca", "valid anymore",
            r"(?:\* [\da-f]{1,60} \S{1,200}|(?:issuer|root) certificate)(?: is)? not valid "
            r"anymore\. Expired on (?P<not_after>[\w:.+-]+)"),
    LogRule("expired-ca", "<invalid>", r"^(?:!MISSING! )?(?P<name>ca|etcd-ca"
            r"|front-proxy-ca)\s.*<invalid>"),
    LogRule("expired-client-cert", "<invalid>",
            r"^(?P<name>\S+\.conf|\S+-client)\s.*<invalid>"),
    LogRule("expired-server-cert", "<invalid>", r"^(?P<name>[a-z][\w-]+)\s+\w{3} \d\d, "
            r"\d{4}.*<invalid>"),
    LogRule("expired-client-cert", "ertific",
            r"existing bootstrap client certificate"
            r"(?:.{1,30}? \"?(?P<file>/[^\s\"]+)\"?)? is expired(?:: "
            r"(?P<not_after>[\d-]+ [\d:]+)?)?|active client certificate has expired"
            r"|[Cc]lient certificate(?: in \S+)? (?:has |is )?expired"
            r"|(?P<file2>\S+kubelet-client-current\.pem) (?:has |is |still )?expired"),
    LogRule("expired-client-cert", "ertific|handshake", EXPIRED + _DATES, where=OF_CLIENT),
    LogRule("expired-client-cert", "ertific",
            r"requesting a signed certificate from the (?:master|control plane).*Unauthorized"),
    LogRule("expired-server-cert", "valid anymore",
            r"certificate(?: is)? not valid anymore\. Expired on (?P<not_after>[\w:.+-]+)"),
    LogRule("expired-server-cert", "ertific|CERT|handshake|ValidatorException|SSL",
            EXPIRED + _DATES + r"|error 10 at 0 depth"),
    LogRule("wrong-eku", "KeyUsage does", r"KeyUsage does not allow",
            versions="Java, of keyUsage or extendedKeyUsage"),
    LogRule("wrong-eku", "ertific|ValidatorException|verify error|depth lookup",
            r"incompatible key usage|(?i:(?:unsuitable|unsupported)[ _]certificate[ _]purpose)"
            r"|not authorized for an extended key usage|invalid usage for client certificate"
            r"|(?i:extended key usage does not permit|inadequate key ?usage|certificate rejected)"
            r"|InvalidPurpose|error 26 at \d+ depth|unsuitable key usage"
            r"|key usage does not include digital signature"),
    LogRule("legacy-cn-no-san", "x509|ertific",
            r"relies on (?:a )?legacy Common Name"
            r"|Common Name is not a valid host"
            r"|leaf doesn't have a SAN"),
    LogRule("kubelet-serving-self-signed", "x509|ertific|IP SANs", r"any IP SANs|is valid for ",
            where=KUBELET_PORT, unless=r"valid for (?!\S+@\d{10})"),
    LogRule("missing-san-dns", "x509|ertific",
            rf"valid for (?P<names>.*?), not {_NOT_ADDRESS}(?P<name>{_LABEL})"
            rf"|is not valid for any names, but wanted to match (?P<name3>{_LABEL})"
            rf"|valid for \d+ names, but none matched {_NOT_ADDRESS}(?P<name2>{_LABEL})"),
    LogRule("missing-san-ip", "x509|ertific",
            rf"valid for (?P<names>.*?), not \[?(?P<address>[\d.a-fA-F:]+)"
            r"|validate certificate for (?P<address2>\S+) because it doesn't contain any IP SANs"
            r"|any IP SANs"
            r"|valid for \d+ (?:names|IP SANs), but none matched (?P<address3>[\d.a-fA-F:]+)"
            rf"|(?i:altern\w+ names? match\w*.*?(?:address )?'?(?P<address4>{ADDRESS}))"
            rf"|altnames: IP: (?P<address5>\S+) is not"),
    LogRule("missing-san-ip", "ertific|depth lookup|verify error|SSL",
            r"(?i:ip[ _]address[ _]mismatch)|error 64 at \d+ depth"
            rf"|(?:expected |\b)hostname:? '?(?P<address>{ADDRESS})(?:'? doesn't|\. Cert)"
            rf"|match(?:es)? target (?:host ?name|ip\w* address) '?(?P<address2>{ADDRESS})"
            rf"|certificate is not valid for '(?P<address3>{ADDRESS})'"),
    LogRule("missing-san-dns", "ertific|depth lookup|verify error|SSL|CERT",
            r"(?i:hostname[ _]mismatch)|error 62 at \d+ depth"
            r"|no alternative certificate subject name|subject alternative DNS name match"
            r"|(?:expected hostname:|hostname) '?(?P<name>[^\s']+?)(?:'? doesn't match|\. Cert)"
            r"|match target host ?name|does not match certificate's altnames|NotValidForName"
            r"|ALTNAME_INVALID|certificate is not valid for '(?P<name2>[^']+)'"
            r"|doesn't match either of|certificate is not valid for host"),
    LogRule("unknown-authority", "ertific",
            rf"check the health of member.*{UNKNOWN_CA}|[Cc]ertificate chain is not complete"),
    LogRule("kubelet-serving-self-signed", "x509|ertific",
            rf"{UNKNOWN_CA}|(?i:self[- ]signed certificate)(?! in)", where=KUBELET_PORT),
    LogRule("kubelet-serving-self-signed", "ertific|depth lookup|CERT",
            r"(?i:self[- ]signed certificate)(?! in)|error 18 at \d+ depth|DEPTH_ZERO_SELF_SIGNED",
            unless=r"(?i:generat|creat|us|issu)\w{1,6} (?:an? )?(?i:self-signed cert)"),
    LogRule("etcd-peer-cert", "ertific", UNKNOWN_CA + _CANDIDATE, where=OF_ETCD),
    LogRule("unauthorized-after-ca-rotation", "ertific",
            r"Unable to authenticate the request due to an error: \[?x509: "
            + UNKNOWN_CA + _CANDIDATE,
            versions="v1.19 and older, which do not name the certificate"),
    LogRule("unknown-authority", "x509|ertific|routines:|depth lookup|verify error|CERT"
            "|handshake|ValidatorException| cannot ",
            NOT_TRUSTED + _CANDIDATE + r"|error (?:2|7|19|20|21|27|29|30|31) at \d+ depth"
            r"|not signed by (?:the |a )?(?:known|trusted|cluster)|invalid[ _]padding"
            r"|issuer name does not match subject"
            r"|(?i:certificate (?:is )?not trusted)(?! by the host CA)"
            r"|(?:ECDSA|Ed25519) verification failure|key identifier mismatch"
            r"|issuer serial number mismatch"
            r"|failed to load system roots|no roots provided"),
)

REFUSALS = (
    LogRule("remote-alert", "ertific|routines:|SSL|atal alert|handshake",
            r"remote error: (?:tls: )?(?P<alert>(?:bad|unknown|expired|revoked|unsupported) "
            r"certificate(?: authority)?)\b"
            r"|(?i:alert[ _](?P<alert2>bad[ _]certificate|unknown[ _]ca|certificate[ _]unknown"
            r"|certificate[ _]expired|unsupported[ _]certificate|certificate[ _]revoked))"
            # Java, rustls, Erlang, GnuTLS, NSS
            r"|(?i:received fatal alert: (?P<alert3>bad_?certificate|unknown_?ca"
            r"|certificate_?unknown|certificate_?expired|unsupported_?certificate"
            r"|certificate_?revoked))\b"
            r"|received (?:CLIENT|SERVER) ALERT: Fatal - (?P<alert4>Bad Certificate|Unknown CA"
            r"|Certificate Unknown|Certificate Expired|Unsupported Certificate|Certificate Revoked)"
            r"|(?:nutls_handshake\(\) failed|[Aa]lert[^:]{0,60}):+ (?P<alert5>Certificate is (?:bad"
            r"|expired|not supported)|Certificate was revoked|Unknown certificate|CA is unknown)"
            r"|(?P<alert6>SSL peer (?:cannot verify|rejected) your certificate"
            r"|does not recognize and trust the CA that issued your certificate"
            r"|some unspecified issue with the certificate it received)"),
    LogRule("bootstrap-kubeconfig-missing-or-token-expired", "uthorized|provide credentials",
            r"cannot create certificate signing request: (?:Unauthorized|the server has asked)"
            r"|Failed to connect to apiserver.*(?:Unauthorized|provide credentials)"),
    LogRule("unauthorized-after-ca-rotation", "uthorized|provide credentials",
            r"(?:[Ff]ailed to|[Uu]nable to|[Ee]rror|err=|could not|couldn't|cannot|lease|lock)"
            r".{0,400}?\bUnauthorized[\"')\]}]*(?=$|[ ,;.])|\(Unauthorized\)|^Unauthorized$"
            r"|[Ff]ailed to (?:list|watch|get)\S*\.\.\.n?uthorized"
            r"|Kubernetes API.{1,200}: 401 Unauthorized|Unauthorized! Configured service account"
            r"|asked for the client to provide credentials|must be logged in to the server",
            unless=r"(?<!/api: )401 Unauthorized|/v2/|pull|registry"
                   r"|[Uu]nauthorized: (?!Unauthorized)|token endpoint"),
)

# No certificate is the reason: scanners, closed connections, other people's tokens.
HARMLESS = (
    LogRule("", "tls: |handshake|x509|SSL|routines:", r"first record does not look like a TLS"
            r"|\bEOF\b"
            r"|connection reset by peer|i/o timeout|TLS handshake timeout|context (?:canceled|dead)"
            r"|use of closed|broken pipe|unsupported SSLv2|offered only unsupported versions"
            r"|no cipher suite supported|oversized record|protocol version not supported"
            r"|operation was canceled|connection refused|no route to host|no such host"
            r"|wrong version number|http request to an https|HTTP request to an HTTPS server"
            r"|Generated self-signed|inappropriate fallback|unexpected message|bad record MAC"),
)

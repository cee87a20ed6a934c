"""Rows for who a client is, and what that client may not do."""
from __future__ import annotations

from .parts import NODE_NAME, QUOTE
from .rule import LogRule

IDENTITY = (
    LogRule("no-client-cert-anonymous", "orbidden| cannot ",
            r"(?i:user)[ =:]*\\?\"?system:anonymous"),
    # A and B are one name but for case or domain; the oldest words show both in lower case.
    LogRule("hostname-case-fqdn", "orbidden| cannot ",
            rf"node {QUOTE}(?P<other>[\w-]+)(?:\.[\w.-]+)?{QUOTE} "
            rf"(?:cannot|is not allowed to) (?:modify node|read) {QUOTE}"
            rf"(?P<node>(?i:(?P=other))(?:\.[\w.-]+)?)(?![\w.-])"),
    LogRule("wrong-node-identity", "orbidden| cannot ",
            rf"node {QUOTE}(?P<other>{NODE_NAME}){QUOTE} (?:cannot|is not allowed to) "
            rf"(?:modify node|read) {QUOTE}(?P<node>{NODE_NAME}){QUOTE}"),
    LogRule("hostname-case-fqdn", "orbidden| cannot ",
            r"(?:leases\.coordination|csinodes\.storage)\.k8s\.io \"(?P<node>[\w-]+)"
            r"(?:\.[\w.-]+)?\" is forbidden: User "
            r"\"system:node:(?P<other>(?i:(?P=node))(?:\.[\w.-]+)?)\"",
            where=r"only access (?:node lease|CSINode) with the same name as the"),
    LogRule("wrong-node-identity", "orbidden| cannot ",
            r"only access (?:node lease|CSINode) with the same name as the"),
    LogRule("wrong-node-identity", "orbidden| cannot ",
            rf"can only create a node CSR with CN=system:node:(?P<other>{NODE_NAME})"),
    LogRule("wrong-node-identity", "orbidden| cannot ",
            r"can only \w{1,9}(?:/\w{1,9})? pods with spec\.nodeName set to itself"
            r"|only its own Node"),
    LogRule("wrong-organisation", "orbidden| cannot |node for user", r"unknown node for user"),
    LogRule("bootstrap-kubeconfig-missing-or-token-expired", "orbidden| cannot ",
            r"create certificate signing request: .{0,80}?User \"(?:kubelet-boo|system:boots)"
            r"|certificatesigningrequests\S* is forbidden: User \"(?P<user>(?:system:bootstrap:"
            r"|kubelet-bootstrap)[^\"]*)\"|User \"(?P<user2>system:bootstrap:[^\"]*"
            r"|kubelet-bootstrap)\" cannot"),
    LogRule("bootstrap-kubeconfig-missing-or-token-expired", "JWS|token id",
            r"(?:no JWS signed token|not find a JWS signature) in the cluster-info"
            r"|token id \"\w{1,99}\" is invalid for this cluster"),
    LogRule("wrong-organisation", "orbidden| cannot ",
            r"User \"system:nodes?:?\" cannot"),
    LogRule("wrong-organisation", "orbidden| cannot ",
            r"RBAC DENY: user \"(?P<user>(?!system:(?:service|kube-|bootstrap|anon))[^\"]+)\""
            r" groups \[(?![^\]]*\bsystem:nodes\b)[^\]]*\] cannot \"\w+\" (?:on )?(?:resource )?"
            r"\"?(?:nodes|leases|csinodes|runtimeclasses)"),
    LogRule("wrong-organisation", "orbidden| cannot ",
            r"RBAC DENY: user \"(?P<user>(?!system:|[^\"]*proxy)"
            r"(?:[\w.-]*[.-])?(?:node|worker|minion|kubelet)[^\"]*)\""
            r" groups \[(?![^\]]*\bsystem:nodes\b)[^\]]*\] cannot \"(?:list|watch)\""),
    LogRule("wrong-node-identity", "orbidden| cannot ",
            rf"^Error from server \(Forbidden\).*User "
            rf"\"system:node:(?P<other>{NODE_NAME})\" cannot"),
    LogRule("wrong-organisation", "orbidden| cannot ",
            rf"User \"system:node:(?P<node>{NODE_NAME})\" cannot (?:get|list|watch|create|update"
            r"|patch|delete)(?: resource)?[^:]*(?:at the cluster scope|in the namespace \"[^\"]*\""
            r"|in API group \"[^\"]*\")\.?[\"']?(?=$| (?!.*relationship)|\))",
            unless=r"no relationship found|: can only|: node "),
    LogRule("wrong-subject", "orbidden| cannot ",
            rf"\"(?P<node>{NODE_NAME})\" is forbidden: User \"(?P<user>(?P=node))\" cannot"),
    LogRule("wrong-organisation", "orbidden| cannot ", r"User \"(?P<user>(?!system:)[^\"]*)\" "
            r"cannot",
            where=r"nodes|services|leases|csidrivers|csinodes|runtimeclasses", writer="kubelet"),
    LogRule("wrong-subject", "orbidden| cannot ", r"User \"(?P<user>system:kube-scheduler)\" "
            r"cannot",
            writer="kube-controller-manager"),
    LogRule("wrong-subject", "orbidden| cannot ",
            r"User \"(?P<user>system:kube-controller-manager)\" cannot create resource "
            r"\"pods/bind"),
    LogRule("wrong-subject", "orbidden| cannot ",
            r"User \"(?P<user>system:(?:scheduler|controller-manager|proxy"
            r"|kube-proxier))\" cannot"),
    LogRule("front-proxy-ca", "orbidden| cannot ", r"User \"(?P<user>front-proxy-client)\" "
            r"cannot"),
    LogRule("hostname-case-fqdn", "orbidden| cannot ",
            r"Forbidden \(user=(?P<user>[A-Z]\w*), verb=\w+, resource=nodes"),
    # the kubelet refuses whom the API server's client certificate names
    LogRule("wrong-subject", "orbidden| cannot ",
            r"Forbidden \(user=(?P<user>(?!system:serviceaccount:)[^,)]{1,300}), verb=\w+, "
            r"resource=nodes, subresource=proxy\)"),
)

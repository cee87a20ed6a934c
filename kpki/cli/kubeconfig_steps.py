"""`kpki kubeconfig --explain`: the openssl and kubectl commands that make the same kubeconfig."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from shlex import quote
from typing import TYPE_CHECKING

from ..kubernetes.profiles import sans_text

if TYPE_CHECKING:
    from ..cluster.authority import Authority
    from ..cluster.users import Account, Answer


def steps(answer: Answer, *, embed: bool, out: str | None) -> Iterator[str]:
    """The commands that make the kubeconfig of *answer*, written to *out*."""
    account, paths = answer.account, answer.paths
    if answer.authority is not None:
        yield from _issue_steps(account, answer.authority, answer.algorithm, paths[0], paths[1],
                                answer.validity)
        yield from _kubectl_steps(account, paths[0], "user.crt", "user.key", embed=True, out=out)
    elif len(paths) > 1:
        yield from _given_steps(*paths)
        yield from _kubectl_steps(account, *paths, embed=embed, out=out)
    else:
        yield f"kpki kubeconfig prints what the workspace holds: {paths[0]}"


def _issue_steps(account: Account, authority: Authority, algorithm: str, ca: str, ca_key: str,
                 validity: timedelta) -> Iterator[str]:
    """The openssl commands that make a client's pair."""
    identity, (kind, _, size) = account.identity, algorithm.partition("-")
    parts = [f"/{field}={value}" for field, value in
             [*(("O", _escaped(group)) for group in identity.groups),
              ("CN", _escaped(identity.user))]]
    extensions = ["basicConstraints=critical,CA:FALSE",
                  "keyUsage=critical,digitalSignature" + ",keyEncipherment" * (kind == "RSA"),
                  f"extendedKeyUsage={','.join(account.profile.usages)}"]
    if names := sans_text(identity):
        extensions.append(f"subjectAltName={names}")
    yield ("kpki kubeconfig makes a client's pair (CN the user, O the groups), "
           "and a kubeconfig with the pair:")
    yield (f"  openssl genrsa -out user.key {size}" if kind == "RSA" else
           f"  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{size.replace('P', 'P-')} "
           "-out user.key")
    yield f"  openssl req -new -key user.key -subj {quote(''.join(parts))} -out user.csr"
    yield f"  printf '%s\\n' {' '.join(map(quote, extensions))} > user.ext"
    yield (f"  openssl x509 -req -in user.csr -CA {quote(ca)} -CAkey {quote(ca_key)} "
           f"-days {max(validity.days, 1)} -{authority.digest} -extfile user.ext -out user.crt")


def _escaped(text: str) -> str:
    """A value for openssl's -subj, with a backslash before each of its three special characters."""
    return "".join(f"\\{character}" if character in "/+\\" else character for character in text)


def _given_steps(ca: str, certificate: str, key: str) -> Iterator[str]:
    """The openssl commands that check a pair."""
    yield "kpki kubeconfig checks the pair, and makes a kubeconfig that names the pair:"
    yield (f"  openssl x509 -noout -pubkey -in {quote(certificate)}; "
           f"openssl pkey -pubout -in {quote(key)}   # the same")
    yield f"  openssl verify -CAfile {quote(ca)} -purpose sslclient {quote(certificate)}"


def _kubectl_steps(account: Account, ca: str, certificate: str, key: str, *, embed: bool,
                   out: str | None) -> Iterator[str]:
    """The four steps of the documentation (setup/best-practices/certificates, user accounts)."""
    names, ending = account.names, f" --kubeconfig={quote(out or 'user.conf')}"
    embedded = " --embed-certs=true" if embed else ""
    yield (f"  kubectl config set-cluster {quote(names.cluster_name)} "
           f"--server={quote(names.server)} --certificate-authority={quote(ca)}{embedded}{ending}")
    yield (f"  kubectl config set-credentials {quote(names.user_name)} "
           f"--client-certificate={quote(certificate)} --client-key={quote(key)}{embedded}{ending}")
    yield (f"  kubectl config set-context {quote(names.context_name)} "
           f"--cluster={quote(names.cluster_name)} --user={quote(names.user_name)}{ending}")
    yield f"  kubectl config use-context {quote(names.context_name)}{ending}"

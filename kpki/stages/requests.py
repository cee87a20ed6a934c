"""Certificate signing requests, as `openssl req -new` makes them."""
from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import der, keys, objects, records
from .config import Config, Setting, parse_config
from .dialogue import ask_attributes, ask_name
from .extensions.context import ExtensionContext
from .extensions.identifiers import AUTHORITY_KEY_IDENTIFIER, SUBJECT_KEY_IDENTIFIER
from .extensions.table import replace_extensions, section_extensions, settings_extensions
from .modules import added_names
from .names import Name, attribute, parse_subject, section_name
from .records import Extension
from .strings import StringOptions, string_mask
from ..errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_IDENTIFIERS = (SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER)

# The shortest text with the effect that OpenSSL 3.0's distributed openssl.cnf has on req and x509.
DEFAULT_CONFIG = """
[req]
default_keyfile = privkey.pem
distinguished_name = names
attributes = attributes
x509_extensions = ca
string_mask = utf8only
[names]
countryName = Country Name (2 letter code)
countryName_default = AU
countryName_min = 2
countryName_max = 2
stateOrProvinceName = State or Province Name (full name)
stateOrProvinceName_default = Some-State
localityName = Locality Name (eg, city)
0.organizationName = Organization Name (eg, company)
0.organizationName_default = Internet Widgits Pty Ltd
organizationalUnitName = Organizational Unit Name (eg, section)
commonName = Common Name (e.g. server FQDN or YOUR name)
commonName_max = 64
emailAddress = Email Address
emailAddress_max = 64
[attributes]
challengePassword = A challenge password
challengePassword_min = 4
challengePassword_max = 20
unstructuredName = An optional company name
[ca]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always,issuer
basicConstraints = critical,CA:true
"""

Ask = Callable[[str], str | None]


class Form(NamedTuple):
    """What `req` reads before it writes: the common part of -new and -x509."""

    config: Config
    subject: Name
    attributes: tuple[tuple[str, str], ...]
    """The attributes of the request, as (type, text)."""
    digest: str
    """The name of the digest that signs."""
    strings: StringOptions
    """How text becomes strings of names."""
    request_extensions: str | None
    """The section with the extensions of a request, None without."""
    certificate_extensions: str | None
    """The section with the extensions of a certificate, None without."""
    added: tuple[Setting, ...]
    """The settings of `-addext`."""

    def context(self, public_key: bytes) -> ExtensionContext:
        """The context of the extensions, with the key (DER) that is certified."""
        return ExtensionContext(self.config, subject=self.subject,
                                key_identifier=keys.key_identifier(public_key),
                                strings=self.strings)


def req_new(key: PrivateKeyTypes, *, config: str | Config | None = None, section: str = "req",
            subject: str | Name | None = None, extensions: str | None = None,
            addext: Sequence[str] = (), digest: str | None = None, utf8: bool = False,
            ask: Ask | None = None, warnings: list[str] | None = None) -> CertificateSigningRequest:
    """Write and sign a request with *key* (openssl req -new -key KEY -config CONFIG).

    *config* is the configuration's text or value (None: openssl's own defaults). *section* is
    `-section`, *subject* is `-subj`, *extensions* is `-reqexts`, *addext* is each `-addext`.
    *digest* is `-sha256` and its like (None: default_md, else sha256).

    *ask* answers a question of the dialogue with a line, or with None at the end of its input.
    Without *ask* the fields get the configuration's defaults (`-batch`). The lines of openssl's
    warnings are added to *warnings*. Raises InputError, with the line of the configuration, for
    what openssl refuses.

    >>> csr = kpki.req_new(key, subject="/CN=worker-1", addext=["subjectAltName = DNS:worker-1"])
    >>> csr.subject.rfc4514_string()
    'CN=worker-1'
    """
    form = fill_form(config, section=section, subject=subject, request_extensions=extensions,
                     addext=addext, digest=digest, utf8=utf8, ask=ask, warnings=warnings)
    return sign_request(form, keys.validate_signing_key(key))


def fill_form(config: str | Config | None, *, section: str, subject: str | Name | None,
              request_extensions: str | None = None, certificate_extensions: str | None = None,
              addext: Sequence[str] = (), digest: str | None = None, utf8: bool = False,
              ask: Ask | None = None, warnings: list[str] | None = None,
              attributes: bool = True) -> Form:
    """Read everything that `req` needs, in its order; both extension sections are tested first.

    Without *attributes* (under -x509) the attributes of the configuration are not read.
    """
    config = default_config() if config is None else as_config(config)
    strings = StringOptions(names=added_names(config))
    if (mask := config.get(section, "string_mask")) is not None:
        strings = strings._replace(mask=string_mask(mask))
    if utf8 or config.get(section, "utf8") == "yes":
        strings = strings._replace(utf8=True)
    if digest is None:
        digest = config.get(section, "default_md") or "sha256"
    added = _added(addext)
    if certificate_extensions is None:
        certificate_extensions = config.get(section, "x509_extensions")
    if request_extensions is None:
        request_extensions = config.get(section, "req_extensions")
    test = ExtensionContext(config, strings=strings, test=True)
    for name, kind in ((certificate_extensions, "x509"), (request_extensions, "request")):
        if name is not None:
            validate_section(test, name, f"{kind} extension")
    if added:
        lists = Config({"default": added})
        test = ExtensionContext(config, strings=strings, test=True, lists=lists)
        settings_extensions(test, added)
    if digest.lower() not in keys.digest_names():   # EdDSA takes any name that openssl knows
        keys.get_digest(digest)
    filled, pairs = _subject(config, section, subject, strings, ask, warnings, attributes)
    return Form(config, filled, pairs, digest, strings, request_extensions, certificate_extensions,
                added)


def _added(texts: Sequence[str]) -> tuple[Setting, ...]:
    """The `-addext` arguments as settings: they are read like a configuration of their own."""
    if not texts:
        return ()
    names = [text.partition("=")[0].strip() for text in texts]
    for name, text in zip(names, texts, strict=True):
        if not name or "=" not in text:
            raise InputError(f"-addext {text!r} is not name=value")
        if names.count(name) > 1:
            raise InputError(f"duplicate extension: -addext {name}")
    settings = parse_config("\n".join(texts)).settings("default") or ()
    return tuple(replace(setting, line=0) for setting in settings)


def validate_section(test: ExtensionContext, name: str, kind: str) -> None:
    """Read a section for its syntax alone. Raises ConfigurationError in openssl's words."""
    if test.config.settings(name) is None:
        raise ConfigurationError(f"error checking {kind} section {name}: [{name}] is absent")
    section_extensions(test, name)


@cache
def default_config() -> Config:
    """The configuration that counts if none is named."""
    return parse_config(DEFAULT_CONFIG)


def as_config(config: str | Config) -> Config:
    """A configuration, or the configuration of a text."""
    return _parsed(config) if isinstance(config, str) else config


@lru_cache(maxsize=8)
def _parsed(text: str) -> Config:
    """The configuration of a text; a caller often needs the same text again, for the next node."""
    return parse_config(text)


def _subject(config: Config, section: str, subject: str | Name | None, strings: StringOptions,
             ask: Ask | None, warnings: list[str] | None,
             with_attributes: bool) -> tuple[Name, tuple[tuple[str, str], ...]]:
    """The name and the attributes of a request.

    If *subject* is set, there are no attributes, as in openssl.
    """
    names = _settings(config, section, "distinguished_name", needed=subject is None)
    # An absent section is refused even if its attributes are not wanted.
    attributes = _settings(config, section, "attributes", needed=False)
    attributes = attributes if with_attributes else ()
    if isinstance(subject, Name):
        return subject, ()
    if subject is not None:
        return parse_subject(subject, strings, warnings=warnings), ()
    if config.get(section, "prompt") == "no":
        name = section_name(names, strings)
        pairs = tuple((setting.key, setting.value) for setting in attributes)
    else:
        if not names:
            raise ConfigurationError(
                "no template, please set one up: the distinguished_name section is empty",
                hint="give the subject with -subj, or set prompt = no and the fields")
        defaults = config, config.get(section, "distinguished_name") or ""
        name = ask_name(names, *defaults, strings, ask)
        asked = config.get(section, "attributes") or ""
        pairs = ask_attributes(attributes, config, asked, strings, ask)
    if not name.rdns:
        raise ConfigurationError(
            "no objects specified in config file",
            hint="the distinguished_name section gives no value: set prompt = no, or use -subj")
    return name, pairs


def _settings(config: Config, section: str, key: str, *, needed: bool) -> Sequence[Setting]:
    name = config.get(section, key)
    if name is None:
        if needed:
            raise ConfigurationError(f"unable to find '{key}' in config")
        return ()
    settings = config.settings(name)
    if settings is None:
        raise ConfigurationError(f"unable to get '{name}' section, which {key} names")
    return settings


def sign_request(form: Form, key: keys.SigningKey) -> CertificateSigningRequest:
    """The request that *form* describes, signed with *key*."""
    return _loaded(request_der(form, key))


def request_der(form: Form, key: keys.SigningKey) -> bytes:
    """The request of `sign_request` in DER: the import of cryptography's object is slow."""
    public_key = keys.public_key_der(key)
    context = form.context(public_key)
    attributes: dict[str, bytes] = {}
    for kind, text in form.attributes:
        oid = context.object_oid(kind)
        if oid in attributes:
            raise InputError(f"duplicate attribute: {kind}")
        value = attribute(oid, text, form.strings)
        attributes[oid] = _attribute(oid, der.tlv(value.tag, value.octets))
    section = form.request_extensions
    configured = section_extensions(context, section) if section else ()
    added = replace_extensions((), settings_extensions(context, form.added))
    for extensions in (configured, added):
        if extensions:
            if EXTENSION_REQUEST in attributes:
                raise InputError(
                    "duplicate attribute: -addext beside request extensions of the configuration",
                    hint="write the extension into the req_extensions section")
            item = extensions_item(extensions)
            attributes[EXTENSION_REQUEST] = _attribute(EXTENSION_REQUEST, item)
    return _signed(context.name().dump(), public_key, attributes.values(), key, form.digest)


def req_from(certificate: Certificate, key: PrivateKeyTypes, *, copy_extensions: bool = False,
             subject: str | Name | None = None,
             digest: str = "sha256") -> CertificateSigningRequest:
    """A request with a certificate's contents, signed with *key* (openssl x509 -x509toreq).

    *copy_extensions* copies the certificate's extensions, but for the two key identifiers.
    *subject* is `-subj`.
    """
    signer = keys.validate_signing_key(key)
    fields = records.certificate_fields(certificate)
    extensions = [
        extension for extension in records.extensions_of(fields)
        if copy_extensions and extension.oid not in _IDENTIFIERS]
    attributes = [_attribute(EXTENSION_REQUEST, extensions_item(extensions))] if extensions else []
    name = fields.subject if subject is None else as_name(subject).dump()
    return _loaded(_signed(name, keys.public_key_der(signer), attributes, signer, digest))


def as_name(subject: str | Name) -> Name:
    """A name, or the name of a `-subj` text."""
    return parse_subject(subject) if isinstance(subject, str) else subject


def _signed(subject: bytes, public_key: bytes, attributes: Iterable[bytes], key: keys.SigningKey,
            digest: str) -> bytes:
    info = records.request_info(subject=subject, public_key=public_key, attributes=attributes)
    return records.signed(info, keys.signature_algorithm(key, digest),
                      keys.sign_bytes(key, digest, info))


def _loaded(data: bytes) -> CertificateSigningRequest:
    from cryptography.x509 import load_der_x509_csr
    return load_der_x509_csr(data)


def _attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of([value]))


def named_extensions(extensions: Iterable[Extension],
                     names: Container[str]) -> tuple[Extension, ...]:
    """The extensions whose short names in openssl (`keyUsage`) are among *names*."""
    return tuple(extension for extension in extensions
                 if (known := objects.find_object(extension.oid)) and known.short_name in names)


def extensions_item(extensions: Sequence[Extension]) -> bytes:
    """A SEQUENCE OF Extension in DER."""
    return der.sequence(*map(records.extension_item, extensions))


def request_extensions(csr: CertificateSigningRequest | bytes,
                       keep: Container[str] | None = None) -> tuple[Extension, ...]:
    """The extensions that a request (or its DER) asks for, in its order.

    Of *keep* see `named_extensions`. Raises InputError if an extension is not well formed.
    """
    found = tuple(records.read_extension(item)
                  for oid, values in records.request_attributes(csr) if oid == EXTENSION_REQUEST
                  for value in values for item in der.items(der.content_of(value)))
    return found if keep is None else named_extensions(found, keep)

"""`wugan certificates`: a small authority for the inside of an installation, and one for its partners.

For those who have none of their own. Keys are P-256; an authority lives ten years, a certificate fourteen months, and
the command run again issues anew what ends within two months, under the same authorities.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.local.secrets import write_private
from shared.kit.clock import SystemClock

_AUTHORITY = timedelta(days=3650)
_CERTIFICATE = timedelta(days=425)
_RENEW = timedelta(days=60)
_SKEW = timedelta(hours=1)

_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
# Servers of a NATS cluster are each other's clients as well: a route is shown a certificate by both ends.
_USES = {"gateway": (_SERVER,), "nats": (_SERVER, _CLIENT), "postgres": (_SERVER,)}
SERVERS = tuple(_USES)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM files."""

    certificate: Path
    key: Path

    @staticmethod
    def named(folder: Path, name: str) -> "Pair":
        """`<name>.crt` and `<name>.key` in `folder`."""
        return Pair(folder / f"{name}.crt", folder / f"{name}.key")

    def read(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """Both, parsed."""
        key = load_pem_private_key(self.key.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            msg = f"{self.key} is no EC key"
            raise TypeError(msg)
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()), key


def make(folder: Path, hosts: Sequence[str], partners: Sequence[str] = ()) -> list[Path]:
    """Everything an installation needs, kept where it is still good; the certificates that were written.

    Args:
        folder: `inside.crt` and `partners.crt` are the authorities, `<server>.crt` the servers', `partner-<name>.crt`
            those to be handed out; each with its `.key`.
        hosts: names and addresses the servers are reached by.
        partners: names of clients that get a certificate.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    inside, outside = (authority(folder, name) for name in ("inside", "partners"))
    wanted = [(inside, name, hosts) for name in SERVERS] + [(outside, f"partner-{each}", ()) for each in partners]
    due = [(signer, Pair.named(folder, name), names) for signer, name, names in wanted if _due(folder, name, names)]
    return [issue(signer, pair, names).certificate for signer, pair, names in due]


def authority(folder: Path, name: str) -> Pair:
    """An authority, made unless it is there."""
    pair = Pair.named(folder, name)
    if not pair.certificate.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"wugan {name}")
        usage = _usage(key_cert_sign=True, crl_sign=True)
        made = _builder(subject, subject, key.public_key(), _AUTHORITY)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(usage, critical=True)
        _write(pair, made.sign(key, SHA256()), key)
    return pair


def issue(signer: Pair, pair: Pair, hosts: Sequence[str] = ()) -> Pair:
    """A certificate: of a server reached by `hosts`, or of a client where there are none."""
    above, above_key = signer.read()
    key = ec.generate_private_key(ec.SECP256R1())
    made = _builder(_name(pair.certificate.stem), above.subject, key.public_key(), _CERTIFICATE)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(digital_signature=True), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage(_uses(pair.certificate.stem)), critical=False)
    made = made.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(above_key.public_key()), critical=False
    )
    if hosts:
        made = made.add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False)
    _write(pair, made.sign(above_key, SHA256()), key)
    return pair


def thumbprint(certificate: Path) -> str:
    """What a client's entry holds it to by: x5t#S256 of its certificate."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(SHA256())
    return base64.urlsafe_b64encode(found).decode().rstrip("=")


def _due(folder: Path, name: str, hosts: Sequence[str]) -> bool:
    pair = Pair.named(folder, name)
    if not pair.certificate.exists():
        return True
    found, _ = pair.read()
    if found.not_valid_after_utc - _now() < _RENEW:
        return True
    if list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) != _uses(name):
        return True
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return bool(hosts)
    return {_host(each) for each in hosts} != set(names)


def _uses(name: str) -> list[x509.ObjectIdentifier]:
    return list(_USES.get(name, (_CLIENT,)))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _SKEW)
        .not_valid_after(_now() + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    # Read by servers under other users than who made it, as psql in a container.
    write_private(pair.certificate, certificate.public_bytes(Encoding.PEM))
    pair.certificate.chmod(0o644)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _now() -> datetime:
    return SystemClock().now()

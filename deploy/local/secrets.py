"""Keys and passwords of a local stack: made once, kept in files only the owner can read."""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

from deploy.local.clients import CLIENTS, SERVICES, ClientCard

ADMIN = "postgres"
"""Superuser of the embedded PostgreSQL."""
OPERATOR = "operator"
"""NATS user that may do everything: streams, consumers, redrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """What a client needs to ask for tokens: its id and its private key (PEM, P-256)."""

    client_id: str
    key_file: Path

    @property
    def pem(self) -> bytes:
        """The private key."""
        return self.key_file.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Everything secret of one stack.

    Attributes:
        subject_key: hex, 32 bytes: keyed hashing of citizen ids.
        name_key: hex, 32 bytes: keyed hashing of names.
        vault_keys: `kid:hex[,kid:hex]`, the first seals.
        roles: password of each PostgreSQL role, by service, and of the administrator.
        users: password of each NATS user, by service, and of the operator.
        issuer_key_file: private key (PEM, P-256) that signs access tokens.
        clients_file: JSON list of clients with their public keys.
        clients: private keys by client id.
    """

    subject_key: str
    name_key: str
    vault_keys: str
    roles: Mapping[str, str]
    users: Mapping[str, str]
    issuer_key_file: Path
    clients_file: Path
    clients: Mapping[str, ClientKey]


def load_or_make(folder: Path, cards: Iterable[ClientCard] = CLIENTS) -> Secrets:
    """The secrets in `folder`; what is missing there is made."""
    path = folder / "keys.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    made = _keys(kept)
    if made != kept:
        write_private(path, json.dumps(made, indent=1).encode())
    issuer = folder / "issuer.pem"
    _ensure_key(issuer)
    (folder / "clients").mkdir(mode=0o700, exist_ok=True)
    clients: dict[str, ClientKey] = {}
    listed: list[dict[str, Any]] = []
    for card in cards:
        key_file = folder / "clients" / f"{card.client_id}.pem"
        clients[card.client_id] = ClientKey(client_id=card.client_id, key_file=key_file)
        listed.append(asdict(card) | {"jwks": {"keys": [_public(_ensure_key(key_file))]}})
    clients_file = folder / "clients.json"
    write_private(clients_file, json.dumps(listed, indent=1).encode())
    return Secrets(**made, issuer_key_file=issuer, clients_file=clients_file, clients=clients)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_suffix(f"{path.suffix}.draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)


def _keys(kept: Mapping[str, Any]) -> dict[str, Any]:
    fresh = {
        "subject_key": secrets.token_hex(32),
        "name_key": secrets.token_hex(32),
        "vault_keys": f"k1:{secrets.token_hex(32)}",
    }
    return {
        **fresh,
        **kept,
        "roles": _passwords((*SERVICES, ADMIN)) | kept.get("roles", {}),
        "users": _passwords((*SERVICES, OPERATOR)) | kept.get("users", {}),
    }


def _passwords(names: Iterable[str]) -> dict[str, str]:
    # A letter first: nats-server reads a value from the environment as it reads its file, where 12e4 is a number.
    return {name: f"p{secrets.token_hex(20)}" for name in names}


def _ensure_key(path: Path) -> bytes:
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path.read_bytes()


def _public(pem: bytes) -> dict[str, Any]:
    key = ECKey.import_key(pem)
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": "ES256"}

"""Keys and passwords of a local stack: made once, kept in files only the owner can read."""

import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

from deploy.local.clients import CLIENTS, DEMO, SERVICES, ClientCard
from deploy.local.errors import NoSecretsError

ADMIN = "postgres"
"""Superuser of the embedded PostgreSQL."""
OPERATOR = "operator"
"""NATS user that may do everything: streams, consumers, redrive."""


SERVICE_KEYS = {
    "ingest": ("subject_key", "name_key", "vault_keys"),
    "scoring": (),
    "grid": ("grid_key", "vault_keys"),
    "recognition": ("subject_key", "vault_keys"),
    "notify": ("vault_keys",),
}
"""Which of the keys each service is given: those its settings ask for."""


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
        grid_key: hex, 32 bytes: the same for members of grids.
        vault_keys: `kid:hex[,kid:hex]`, the first seals.
        roles: password of each PostgreSQL role, by service, and of the administrator.
        users: password of each NATS user, by service, and of the operator.
        issuer_key_file: private key (PEM, P-256) that signs access tokens.
        clients_file: JSON list of clients with their public keys.
        clients: private keys by client id.
    """

    subject_key: str
    name_key: str
    grid_key: str
    vault_keys: str
    roles: Mapping[str, str]
    users: Mapping[str, str]
    issuer_key_file: Path
    clients_file: Path
    clients: Mapping[str, ClientKey]


def load(folder: Path) -> Secrets:
    """The secrets in `folder`, of which nothing is made or written anew.

    Raises:
        NoSecretsError: they are not there, or not whole.
    """
    try:
        kept = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
        return _secrets(
            folder, _of_before(kept) | kept, (path.stem for path in sorted((folder / "clients").glob("*.pem")))
        )
    except (FileNotFoundError, TypeError, ValueError) as error:
        raise NoSecretsError(folder) from error


def load_or_make(folder: Path, cards: Iterable[ClientCard] = CLIENTS) -> Secrets:
    """The secrets in `folder`; what is missing there is made, and clients somebody added by hand stay listed."""
    path = folder / "keys.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    made = _keys(kept)
    if made != kept:
        write_private(path, json.dumps(made, indent=1).encode())
    _ensure_key(folder / "issuer.pem")
    (folder / "clients").mkdir(mode=0o700, exist_ok=True)
    ours = tuple(cards)
    found = _secrets(folder, made, (card.client_id for card in ours))
    _register(found, ours)
    return found


def _secrets(folder: Path, keys: Mapping[str, Any], clients: Iterable[str]) -> Secrets:
    return Secrets(
        **keys,
        issuer_key_file=folder / "issuer.pem",
        clients_file=folder / "clients.json",
        clients={each: ClientKey(client_id=each, key_file=folder / "clients" / f"{each}.pem") for each in clients},
    )


def _register(found: Secrets, cards: Sequence[ClientCard]) -> None:
    """List our clients with their public keys; what else the file says of them, and everybody else in it, stays.

    Except for the demo's: where they are not ours, nobody knows them any more.
    """
    path = found.clients_file
    before = path.read_bytes() if path.exists() else b"[]"
    told = ((each["client_id"], each) for each in json.loads(before))
    ours = {card.client_id for card in cards}
    listed: dict[str, dict[str, Any]] = {name: each for name, each in told if name in ours or not name.startswith(DEMO)}
    for card in cards:
        kept = listed.get(card.client_id, {})
        public = _public(_ensure_key(found.clients[card.client_id].key_file))
        keys = kept.get("jwks", {}).get("keys", [])
        # A second key beside ours was put there by hand; where ours is new, the ones before are no longer believed.
        keys = keys if public in keys else [public]
        listed[card.client_id] = kept | asdict(card) | {"jwks": {"keys": keys}}
    after = json.dumps(list(listed.values()), indent=1).encode()
    if after != before:
        write_private(path, after)


def add_vault_key(folder: Path) -> None:
    """Put a new key before the vault's others: it seals from the next start on, all open."""
    path = folder / "keys.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    held = kept["vault_keys"]
    # Above every name there is: what an older key sealed keeps its name, so none may ever be given twice.
    highest = max((int(number) for number in re.findall(r"(?:^|,)k(\d+):", held)), default=0)
    kept["vault_keys"] = f"k{highest + 1}:{secrets.token_hex(32)},{held}"
    write_private(path, json.dumps(kept, indent=1).encode())


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
        "grid_key": secrets.token_hex(32),
        "vault_keys": f"k1:{secrets.token_hex(32)}",
    }
    return {
        **fresh,
        **_of_before(kept),
        **kept,
        "roles": _passwords((*SERVICES, ADMIN)) | kept.get("roles", {}),
        "users": _passwords((*SERVICES, OPERATOR)) | kept.get("users", {}),
    }


def _of_before(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What stands for keys that did not exist when these were made: grid used the subject key."""
    return {"grid_key": kept["subject_key"]} if "subject_key" in kept else {}


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

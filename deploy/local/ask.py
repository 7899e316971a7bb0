"""Keys of the clients of an installation, and tokens of theirs for a first call by hand."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx

from deploy.local.errors import StackError
from shared.kit.http import TokenSource, load_key

OPERATORS = ("operator", "demo-operator")
"""Clients an operator acts as: that of `wugan secrets`, that of `wugan up`."""
AUDITORS = ("auditor", "demo-auditor")

_DEMO = Path("var/demo/stack")
"""Where `make demo` keeps its stack, which is not where `make up` does."""


class NoSuchClientError(StackError):
    """A client nobody registered, or a folder without a stack."""


def key_of(client_id: str, *, data: Path) -> Path:
    """The private key of a registered client.

    Raises:
        NoSuchClientError: none of that client lies in the folder.
    """
    key = data / "secrets" / "clients" / f"{client_id}.pem"
    if not key.exists():
        of_demo = f", say --data {_DEMO}" if data != _DEMO and _DEMO.is_dir() else ""
        msg = (
            f"{key} is not there: start the stack with that --data first{of_demo}, "
            f"or another client by --client-id and --key."
        )
        raise NoSuchClientError(msg)
    return key


def whose(client_id: str | None, key: Path | None, *, data: Path, usual: Sequence[str]) -> tuple[str, Path]:
    """A client to act as, and its private key: the one that is named, else the first usual one whose key is there.

    Raises:
        NoSuchClientError: no key of it lies in the folder.
    """
    names = [client_id] if client_id else list(usual)
    if key:
        return names[0], key
    keys = {name: data / "secrets" / "clients" / f"{name}.pem" for name in names}
    there = [name for name, path in keys.items() if path.exists()]
    name = there[0] if there else names[-1]
    return name, key_of(name, data=data)


def token(client_id: str, *, data: Path, gateway: str, user: str | None = None) -> str:
    """An access token of a registered client, or of a person behind it, fetched by private_key_jwt.

    Raises:
        NoSuchClientError: no key of that client lies in the folder.
    """
    key = key_of(client_id, data=data)

    async def fetch() -> str:
        async with httpx.AsyncClient() as http:
            issuer = f"{gateway}/api/recognition"
            source = TokenSource(http, issuer_url=issuer, client_id=client_id, key=load_key(key), user=user)
            return await source.get()

    return asyncio.run(fetch())

"""Tokens of the demo clients of a stack on this machine, for a first call by hand."""

import asyncio
from pathlib import Path

import httpx

from deploy.local.errors import StackError
from shared.kit.http import TokenSource, load_key


class NoSuchClientError(StackError):
    """A client nobody registered, or a folder without a stack."""


def key_of(client_id: str, *, data: Path) -> Path:
    """The private key of a registered client.

    Raises:
        NoSuchClientError: none of that client lies in the folder.
    """
    key = data / "secrets" / "clients" / f"{client_id}.pem"
    if not key.exists():
        msg = f"{key} is not there: start the stack with that --data first, and name one of its clients."
        raise NoSuchClientError(msg)
    return key


def token(client_id: str, *, data: Path, gateway: str) -> str:
    """An access token of a registered client, fetched by private_key_jwt.

    Raises:
        NoSuchClientError: no key of that client lies in the folder.
    """
    key = key_of(client_id, data=data)

    async def fetch() -> str:
        async with httpx.AsyncClient() as http:
            source = TokenSource(http, issuer_url=f"{gateway}/api/recognition", client_id=client_id, key=load_key(key))
            return await source.get()

    return asyncio.run(fetch())

"""`wugan dead-letters`: parked messages of all services on one screen, another try for them, or their end."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.demo.client import Client, RefusedError, client
from deploy.local.clients import SERVICES

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Messages no service could handle.")
Data = Annotated[Path, typer.Option(help="Folder of the running stack.")]
Gateway = Annotated[str, typer.Option(help="Address of the gateway.")]


async def _each(data: Path, gateway: str, *, redrive: bool) -> list[tuple[str, dict[str, Any], bool]]:
    key = data / "secrets" / "clients" / "demo-operator.pem"
    found = []
    async with client(gateway, f"{gateway}/api/recognition", "demo-operator", key) as caller:
        for service in SERVICES:
            said = await caller.call("GET", service, "/v1/dead-letters")
            found += [
                (service, letter, redrive and await _redrive(caller, service, letter["id"])) for letter in said["items"]
            ]
    return found


async def _redrive(caller: Client, service: str, number: int) -> bool:
    try:
        said = await caller.call("POST", service, f"/v1/dead-letters/{number}:redrive")
    except RefusedError:
        return False
    return bool(said["redriven"])


def _show(found: list[tuple[str, dict[str, Any], bool]], *, redrive: bool) -> None:
    console = Console()
    if not found:
        console.print("No message is parked.")
        return
    table = Table("service", "id", "consumer", "reason", "parked at", *(["redriven"] if redrive else []))
    for service, letter, done in found:
        row = [service, str(letter["id"]), letter["consumer"], letter["reason"], letter["parked_at"]]
        table.add_row(*row, *(["yes" if done else "no"] if redrive else []))
    console.print(table)


@app.command("list")
def list_letters(*, data: Data = Path("var/stack"), gateway: Gateway = "http://127.0.0.1:8000") -> None:
    """Show what is parked."""
    _show(asyncio.run(_each(data, gateway, redrive=False)), redrive=False)


@app.command("redrive")
def redrive_letters(*, data: Data = Path("var/stack"), gateway: Gateway = "http://127.0.0.1:8000") -> None:
    """Handle everything that is parked once more."""
    _show(asyncio.run(_each(data, gateway, redrive=True)), redrive=True)


@app.command("discard")
def discard_letter(
    service: Annotated[str, typer.Argument(help="The service that parked it.")],
    number: Annotated[int, typer.Argument(help="Its id, as `list` shows it.")],
    *,
    data: Data = Path("var/stack"),
    gateway: Gateway = "http://127.0.0.1:8000",
) -> None:
    """Throw one message away for good."""
    asyncio.run(_discard(data, gateway, service, number))
    Console().print(f"Message {number} of {service} is gone.")


async def _discard(data: Path, gateway: str, service: str, number: int) -> None:
    key = data / "secrets" / "clients" / "demo-operator.pem"
    async with client(gateway, f"{gateway}/api/recognition", "demo-operator", key) as caller:
        await caller.call("DELETE", service, f"/v1/dead-letters/{number}")

"""`wugan dead-letters`: parked messages of all services on one screen, another try for them, or their end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
import typer
from rich.console import Console
from rich.table import Table

from deploy.demo.client import Client, RefusedError, client
from deploy.local.ask import OPERATORS, whose
from deploy.local.clients import SERVICES
from deploy.local.errors import StackError
from shared.kit.problems import ProblemError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Messages no service could handle.")
Data = Annotated[Path, typer.Option(help="Folder of the running stack.")]
Gateway = Annotated[str, typer.Option(help="Address of the gateway.")]
ClientId = Annotated[
    str | None, typer.Option(help="Client with the scope operate; default: the installation's operator.")
]
Key = Annotated[Path | None, typer.Option(help="Its private key; default: the one in --data.")]
Operator = tuple[str, Path]
Found = list[tuple[str, dict[str, Any], bool]]
ResultT = TypeVar("ResultT")


async def each_parked(caller: Client, *, redrive: bool) -> Found:
    """Every parked message by service, and whether a new try, where one is wanted, helped it."""
    return [
        (service, letter, redrive and await _redrive(caller, service, letter["id"]))
        for service in SERVICES
        async for letter in _parked(caller, service)
    ]


async def _each(operator: Operator, gateway: str, *, redrive: bool) -> Found:
    async with client(gateway, f"{gateway}/api/recognition", *operator) as caller:
        return await each_parked(caller, redrive=redrive)


async def _parked(caller: Client, service: str) -> AsyncIterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        said = await caller.call("GET", service, f"/v1/dead-letters?after={after}")
        for letter in said["items"]:
            yield letter
        after = said["next"]


async def _redrive(caller: Client, service: str, number: int) -> bool:
    try:
        said = await caller.call("POST", service, f"/v1/dead-letters/{number}:redrive")
    except RefusedError:
        return False
    return bool(said["redriven"])


def _show(found: Found, *, redrive: bool) -> None:
    console = Console()
    if not found:
        console.print("No message is parked.")
        return
    table = Table("service", "id", "consumer", "reason", "parked at", *(["redriven"] if redrive else []))
    for service, letter, done in found:
        row = [service, str(letter["id"]), letter["consumer"], letter["reason"], letter["parked_at"]]
        table.add_row(*row, *(["yes" if done else "no"] if redrive else []))
    console.print(table)


def _told(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    try:
        return asyncio.run(work)
    except (StackError, RefusedError, ProblemError, httpx.HTTPError) as error:
        typer.echo(f"wugan: {error}", err=True)
        raise typer.Exit(1) from error


def _operator(client_id: str | None, key: Path | None, data: Path) -> Operator:
    try:
        return whose(client_id, key, data=data, usual=OPERATORS)
    except StackError as error:
        typer.echo(f"wugan: {error}", err=True)
        raise typer.Exit(1) from error


def _screen(*, redrive: bool) -> Callable[..., None]:
    def command(
        *,
        data: Data = Path("var/stack"),
        gateway: Gateway = "http://127.0.0.1:8000",
        client_id: ClientId = None,
        key: Key = None,
    ) -> None:
        operator = _operator(client_id, key, data)
        _show(_told(_each(operator, gateway, redrive=redrive)), redrive=redrive)

    return command


app.command("list", help="Show what is parked.")(_screen(redrive=False))
app.command("redrive", help="Handle everything that is parked once more.")(_screen(redrive=True))


@app.command("discard")
def discard_letter(
    service: Annotated[str, typer.Argument(help="The service that parked it.")],
    number: Annotated[int, typer.Argument(help="Its id, as `list` shows it.")],
    *,
    data: Data = Path("var/stack"),
    gateway: Gateway = "http://127.0.0.1:8000",
    client_id: ClientId = None,
    key: Key = None,
) -> None:
    """Throw one message away for good."""
    _told(_discard(_operator(client_id, key, data), gateway, service, number))
    Console().print(f"Message {number} of {service} is gone.")


async def _discard(operator: Operator, gateway: str, service: str, number: int) -> None:
    async with client(gateway, f"{gateway}/api/recognition", *operator) as caller:
        await caller.call("DELETE", service, f"/v1/dead-letters/{number}")

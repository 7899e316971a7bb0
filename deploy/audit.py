"""`wugan audit`: proves that the log of every look at a person is whole."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from deploy.demo.client import RefusedError, client
from deploy.local.ask import AUDITORS, whose
from deploy.local.errors import StackError
from shared.kit.problems import ProblemError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Proof for auditors.")
Data = Annotated[Path, typer.Option(help="Folder of the running stack.")]
Gateway = Annotated[str, typer.Option(help="Address of the gateway.")]


async def prove(auditor: tuple[str, Path], gateway: str, expect: dict[str, Any] | None) -> dict[str, Any]:
    """The proof over all seals, asked by a client with its key: counts, faults, and the head to note outside."""
    whole: dict[str, Any] = {"intact": True, "seals": 0, "rows": 0, "faults": [], "head": None}
    async with client(gateway, f"{gateway}/api/recognition", *auditor) as caller:
        place: int | None = 0
        while place is not None:
            body = {"after": place, **({"expect": expect} if expect and not place else {})}
            said = await caller.call("POST", "recognition", "/v1/audit:verify", body=body)
            whole = {
                "intact": whole["intact"] and said["intact"],
                "seals": whole["seals"] + said["seals"],
                "rows": whole["rows"] + said["rows"],
                "unsealed": said["unsealed"],
                "faults": whole["faults"] + said["faults"],
                "head": said["head"] or whole["head"],
            }
            place = said["next"]
    return whole


@app.command()
def verify(
    *,
    data: Data = Path("var/stack"),
    gateway: Gateway = "http://127.0.0.1:8000",
    head: Annotated[str, typer.Option(help="Head noted before, as <seal>:<chain>; it must still be there.")] = "",
    client_id: Annotated[str | None, typer.Option(help="Client with the scope audit.read.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key; default: the one in --data.")] = None,
) -> None:
    """Prove the usage log; ends with 1 where a row was changed, removed or slipped in."""
    expect = _noted(head)
    try:
        auditor = whose(client_id, key, data=data, usual=AUDITORS)
        whole = asyncio.run(prove(auditor, gateway, expect))
    except (StackError, RefusedError, ProblemError, httpx.HTTPError) as error:
        typer.echo(f"wugan: {error}", err=True)
        raise typer.Exit(1) from error
    console = Console()
    for fault in whole["faults"]:
        console.print(f"seal {fault['seal_no']}: row {fault['usage_id'] or '-'} {fault['fault']}")
    state = "intact" if whole["intact"] else "NOT intact"
    console.print(f"{state}: {whole['rows']} rows under {whole['seals']} seals, {whole['unsealed']} not sealed yet")
    if whole["head"]:
        console.print(f"head {whole['head']['seal_no']}:{whole['head']['chain']}  (note it outside)")
    raise typer.Exit(0 if whole["intact"] else 1)


def _noted(head: str) -> dict[str, Any] | None:
    if not head:
        return None
    number, _, chain = head.partition(":")
    if not number.isdecimal() or not chain:
        msg = f"{head} is not what a proof printed: <seal>:<chain>"
        raise typer.BadParameter(msg)
    return {"seal_no": int(number), "chain": chain}


@app.callback()
def main() -> None:
    """One command so far; named, so that others can follow."""

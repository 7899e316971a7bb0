"""`wugan`: the command line of the platform; each command loads what it needs only when it is called."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from deploy.local.clients import DEMO_NAMES, NAMED
from deploy.workers import parse_workers

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help="无感互认 · wugan"
)

# What follows the name goes as it is, `--help` too, to a command line of its own.
_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}


@app.command(add_help_option=False, context_settings=_PASSED_ON)
def city(context: typer.Context) -> None:
    """The demo city: generate its files."""
    from deploy.demo.city.cli import app as city_app  # noqa: PLC0415  (loaded when called)

    city_app(args=context.args, prog_name="wugan city")


Data = Annotated[Path, typer.Option(help="Folder that keeps everything.")]
PortBase = Annotated[int, typer.Option(min=0, max=65000, help="Port of the gateway; others follow; 0: any free ones.")]


@app.command()
def up(
    *,
    data: Data = Path("var/stack"),
    port_base: PortBase = 8000,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the data and start anew.")] = False,
    workers: Annotated[
        list[str] | None, typer.Option(help="Processes: 2 for every service, scoring=4 for one; may be repeated.")
    ] = None,
    demo: Annotated[bool, typer.Option(help="Know the demo's clients, and send texts to a sandbox.")] = True,
    drill: Annotated[bool, typer.Option("--drill", help="A restored copy: tell and ask nobody outside.")] = False,
) -> None:
    """Run the whole platform on this machine until Ctrl-C."""
    from deploy.local.purposes import options_for  # noqa: PLC0415  (loaded when called)
    from deploy.local.up import run  # noqa: PLC0415  (loaded when called)

    if fresh and drill:
        raise typer.BadParameter("a drill begins with what was restored: --fresh would forget it")
    asked = parse_workers(workers or [])
    raise typer.Exit(run(options_for(data, port_base=port_base, fresh=fresh, workers=asked, demo=demo, drill=drill)))


@app.command()
def demo(  # noqa: PLR0913  (options of a command)
    *,
    data: Data = Path("var/demo"),
    scale: Annotated[float, typer.Option(min=0.0001, max=1, help="1 is the whole city of 1.36 million people.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Another seed, another city.")] = 2023,
    port_base: PortBase = 8000,
    stay: Annotated[bool, typer.Option(help="Keep everything up at the end, on a terminal.")] = True,
    source: Annotated[
        list[str] | None, typer.Option(help="Only the files of this source, for a quicker look; may be repeated.")
    ] = None,
    kill: Annotated[
        list[str] | None, typer.Option(help="Process to kill -9 in the middle, e.g. scoring; may be repeated.")
    ] = None,
    traces: Annotated[
        bool, typer.Option("--traces", help="Print spans into the logs, and show one row's way to a partner.")
    ] = False,
) -> None:
    """Send the demo city through the whole platform and hold the outcome against the truth."""
    from deploy.demo.city.deliveries import read_deliveries  # noqa: PLC0415  (loaded when called)
    from deploy.demo.run import DemoOptions, Kills, database_of  # noqa: PLC0415  (loaded when called)
    from deploy.demo.run import main as run_demo  # noqa: PLC0415  (loaded when called)
    from deploy.local.errors import StackError  # noqa: PLC0415  (loaded when called)

    declared = {delivery.code for delivery in read_deliveries()}
    if strange := set(source or ()) - declared:
        raise typer.BadParameter(f"no source is called {', '.join(sorted(strange))}: {', '.join(sorted(declared))}")
    disturb = Kills(kill) if kill else None
    try:
        options = DemoOptions(
            data=data, scale=scale, seed=seed, port_base=port_base, stay=stay, disturb=disturb, traces=traces,
            sources=frozenset(source) if source else None, database_url=database_of(os.environ),
            patience=600 + 21_600 * scale,
        )  # fmt: skip
        code = run_demo(options)
    except StackError as error:
        typer.echo(f"wugan: {error}", err=True)
        code = 1
    raise typer.Exit(code)


@app.command()
def token(
    client_id: Annotated[str, typer.Argument(help=f"A client of the stack; the demo's are {', '.join(DEMO_NAMES)}.")],
    *,
    user: Annotated[
        str | None,
        typer.Option(help="The person behind the client; default: an invented one for demo-officer and demo-analyst."),
    ] = None,
    data: Data = Path("var/stack"),
    gateway: Annotated[str, typer.Option(help="Address of the gateway.")] = "http://127.0.0.1:8000",
) -> None:
    """Print an access token of a client of a running stack, for a first call by hand."""
    from deploy.local.ask import token as fetch  # noqa: PLC0415  (loaded when called)
    from deploy.local.errors import StackError  # noqa: PLC0415  (loaded when called)
    from shared.kit.problems import ProblemError  # noqa: PLC0415  (loaded when called)

    try:
        typer.echo(fetch(client_id, data=data, gateway=gateway, user=user or NAMED.get(client_id)))
    except (StackError, ProblemError) as error:
        typer.echo(f"wugan: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def submit(  # noqa: PLR0913  (options of a command)
    path: Annotated[Path, typer.Argument(exists=True, help="A file, or a folder with one folder of files a source.")],
    *,
    source: Annotated[
        str | None, typer.Option(help="Code of the source or program; default: the folder a file lies in.")
    ] = None,
    roster: Annotated[
        Literal["full", "delta"] | None,
        typer.Option(help="The files are rosters of programs. full: whoever is not in one has ended."),
    ] = None,
    client_id: Annotated[str, typer.Option(help="Registered client that may deliver.")] = "demo-department",
    key: Annotated[Path | None, typer.Option(help="Its private key; default: that of the stack in --data.")] = None,
    confirm: Annotated[bool, typer.Option(help="Let files through that were held, and new names of rosters.")] = False,
    again: Annotated[bool, typer.Option(help="Send what was sent before too: after a roster was put right.")] = False,
    data: Data = Path("var/stack"),
    gateway: Annotated[str, typer.Option(help="Address of the gateway.")] = "http://127.0.0.1:8000",
) -> None:
    """Send files of a department; broken off and called again, it goes on where it was."""
    from rich.console import Console  # noqa: PLC0415  (loaded when called)

    from deploy.submit import SubmitOptions  # noqa: PLC0415  (loaded when called)
    from deploy.submit import submit as send  # noqa: PLC0415  (loaded when called)
    from shared.kit.problems import ProblemError  # noqa: PLC0415  (loaded when called)

    chosen = key or data / "secrets" / "clients" / f"{client_id}.pem"
    if not chosen.exists():
        typer.echo(f"wugan: {chosen} is not there: name the key of {client_id} with --key", err=True)
        raise typer.Exit(1)
    options = SubmitOptions(
        path=path, source=source, gateway=gateway, client_id=client_id, key=chosen, confirm=confirm, again=again,
        roster=roster,
    )  # fmt: skip
    try:
        code = send(options, Console())
    except ProblemError as error:
        typer.echo(f"wugan: {error}", err=True)
        code = 1
    raise typer.Exit(code)


@app.command()
def accuracy(
    *,
    city: Annotated[Path, typer.Option(help="Folder of the city that was sent through the stack.")] = Path(
        "var/demo/city-0.01-2023"
    ),
    data: Annotated[Path, typer.Option(help="Folder of the running stack.")] = Path("var/demo/stack"),
    gateway: Annotated[str, typer.Option(help="Address of the gateway.")] = "http://127.0.0.1:8000",
    listed: Annotated[
        bool, typer.Option("--list", help="Name the subjects behind each odd figure, for scoring's :explain.")
    ] = False,
) -> None:
    """Ask a running platform about everybody of a city, and hold the answers against the truth.

    Each run asks about everybody as a partner would, and each of these questions stands in the log of looks.
    """
    import httpx  # noqa: PLC0415  (loaded when called)
    from rich.console import Console  # noqa: PLC0415  (loaded when called)

    from deploy.accuracy import accuracy as ask  # noqa: PLC0415  (loaded when called)
    from deploy.accuracy import show, show_list  # noqa: PLC0415  (loaded when called)
    from deploy.demo.city.manifest import NotACityError  # noqa: PLC0415  (loaded when called)
    from deploy.demo.client import RefusedError  # noqa: PLC0415  (loaded when called)
    from deploy.local.errors import StackError  # noqa: PLC0415  (loaded when called)
    from shared.kit.problems import ProblemError  # noqa: PLC0415  (loaded when called)

    try:
        found = ask(city, data=data, gateway=gateway, listed=show_list if listed else None)
        show(found, Console())
    except (NotACityError, StackError, RefusedError, ProblemError, httpx.HTTPError) as error:
        typer.echo(f"wugan: {error}", err=True)
        raise typer.Exit(1) from error


@app.command(add_help_option=False, context_settings=_PASSED_ON)
def audit(context: typer.Context) -> None:
    """Prove that the log of every look at a person is whole."""
    from deploy.audit import app as auditing  # noqa: PLC0415  (loaded when called)

    auditing(args=context.args, prog_name="wugan audit")


@app.command("dead-letters", add_help_option=False, context_settings=_PASSED_ON)
def dead_letters(context: typer.Context) -> None:
    """Messages no service could handle: list, redrive."""
    from deploy.dead_letters import app as letters  # noqa: PLC0415  (loaded when called)

    letters(args=context.args, prog_name="wugan dead-letters")


@app.command()
def migrate(*, data: Data = Path("var/stack"), port_base: PortBase = 8000) -> None:
    """Bring every schema up to date on a platform that is not running."""
    from deploy.local.clients import service_cards  # noqa: PLC0415  (loaded when called)
    from deploy.local.stack import StackOptions  # noqa: PLC0415  (loaded when called)
    from deploy.local.up import migrate as run_migrations  # noqa: PLC0415  (loaded when called)

    raise typer.Exit(run_migrations(StackOptions(data=data, port_base=port_base, known=service_cards())))


@app.command("streams")
def make_streams(
    *, anew: Annotated[bool, typer.Option("--anew", help="Remove them first: the database was brought back.")] = False
) -> None:
    """Make the streams of all services on the broker of WUGAN_NATS_URL, as its operator; again after an upgrade."""
    import asyncio  # noqa: PLC0415  (loaded when called)

    from pydantic import ValidationError  # noqa: PLC0415  (loaded when called)

    from deploy.streams import BrokerSettings, make  # noqa: PLC0415  (loaded when called)
    from shared.kit.problems import ProblemError  # noqa: PLC0415  (loaded when called)

    try:
        told = BrokerSettings()
        url = told.nats_url.get_secret_value()
        asyncio.run(make(url, replicas=told.stream_replicas, ca_file=told.nats_ca_file, anew=anew))
    except (ValidationError, ProblemError) as error:
        typer.echo(f"wugan: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo("wugan: the streams are as this version declares them")


Operator = Annotated[str | None, typer.Option("--client-id", help="Client with the scope operate; else the operator.")]
Gateway = Annotated[str, typer.Option(help="Address of the gateway.")]


@app.command()
def status(
    *,
    data: Data = Path("var/stack"),
    gateway: Gateway = "http://127.0.0.1:8000",
    client_id: Operator = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program to read.")] = False,
) -> None:
    """Health, lag, oldest work and counts of a running platform; ends with 1 where something is wrong."""
    from deploy.local.errors import StackError  # noqa: PLC0415  (loaded when called)
    from deploy.monitoring.status import show  # noqa: PLC0415  (loaded when called)

    try:
        code = show(data, gateway, client_id, as_json=as_json)
    except StackError as error:
        typer.echo(f"wugan: {error}", err=True)
        code = 1
    raise typer.Exit(code)


@app.command()
def exporter(  # noqa: PLR0913  (options of a command)
    *,
    data: Data = Path("var/stack"),
    gateway: Gateway = "http://127.0.0.1:8000",
    inside: Annotated[
        bool, typer.Option("--inside", help="Ask the services themselves, as WUGAN_… says, with WUGAN_CLIENT_KEY_FILE.")
    ] = False,
    client_id: Operator = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen.")] = 9090,
    seconds: Annotated[float, typer.Option(min=1, help="Between two looks.")] = 60,
    notes: Annotated[Path | None, typer.Option(help="Folder of notes of backup and reconcile.")] = None,
    crts: Annotated[Path | None, typer.Option("--certificates", help="Folder of those whose end is told.")] = None,
) -> None:
    """Serve the figures of all services to Prometheus until Ctrl-C."""
    import asyncio  # noqa: PLC0415  (loaded when called)
    from functools import partial  # noqa: PLC0415  (loaded when called)

    from pydantic import ValidationError  # noqa: PLC0415  (loaded when called)

    from deploy.local.errors import StackError  # noqa: PLC0415  (loaded when called)
    from deploy.monitoring.exporter import export  # noqa: PLC0415  (loaded when called)
    from deploy.monitoring.looking import Inside, operator  # noqa: PLC0415  (loaded when called)

    try:
        ask = (
            partial(Inside().operator, client_id=client_id)
            if inside
            else partial(operator, gateway=gateway, data=data, client_id=client_id)
        )
        asyncio.run(export(ask, host=host, port=port, seconds=seconds, notes=notes, certificates=crts))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except (StackError, OSError, ValidationError) as error:
        typer.echo(f"wugan: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def certificates(
    *,
    to: Annotated[Path, typer.Option(help="Folder for authorities, certificates and keys.")],
    host: Annotated[list[str], typer.Option(help="Name or address the servers are reached by; may be repeated.")],
    partner: Annotated[list[str] | None, typer.Option(help="Client to get a certificate; may be repeated.")] = None,
) -> None:
    """Make TLS certificates for gateway, NATS and PostgreSQL, and for partners; again to renew them."""
    from deploy.certificates import make, thumbprint  # noqa: PLC0415  (loaded when called)

    written = make(to, host, partner or [])
    for path in written:
        typer.echo(f"wugan: {path} was issued (x5t#S256 {thumbprint(path)})")
    typer.echo(f"wugan: {'keys lie beside them' if written else f'everything in {to} is good for two months more'}")


@app.command()
def secrets(
    *,
    to: Annotated[Path, typer.Option(help="Folder for keys and clients.")],
    rotate_vault: Annotated[bool, typer.Option("--rotate-vault", help="Seal with a new key from now on.")] = False,
) -> None:
    """Make the keys, passwords and clients of an installation; prints its environment, again the same."""
    from deploy.installing import environment  # noqa: PLC0415  (loaded when called)

    for name, value in environment(to, rotate_vault=rotate_vault).items():
        typer.echo(f"{name}={value}")


Note = Annotated[Path | None, typer.Option(help="File for its figures, …/name.prom, for the exporter's --notes.")]


@app.command()
def backup(
    *,
    to: Annotated[Path, typer.Option(help="Folder of backups, on another disk.")],
    data: Data = Path("var/stack"),
    follow: Annotated[bool, typer.Option("--follow", help="Go on with everything written, until Ctrl-C.")] = False,
    keep: Annotated[int, typer.Option(min=1, help="Base backups to keep.")] = 7,
    note: Note = None,
) -> None:
    """Back up the running platform: database, raw files; no keys."""
    from deploy.backup.cli import run_backup  # noqa: PLC0415  (loaded when called)

    raise typer.Exit(run_backup(data, to, follow=follow, keep=keep, note=note))


@app.command()
def restore(
    *,
    source: Annotated[Path, typer.Option("--from", help="Folder of backups.")],
    data: Data = Path("var/stack"),
    base: Annotated[str | None, typer.Option(help="Base backup to start from; default: the newest that fits.")] = None,
    at: Annotated[str | None, typer.Option(help="Moment with its zone, 2026-11-26T21:00:00+08:00.")] = None,
) -> None:
    """Bring a platform that is not running back to a moment, by default the last one archived."""
    from deploy.backup.cli import run_restore  # noqa: PLC0415  (loaded when called)

    raise typer.Exit(run_restore(data, source, base=base, at=at))


@app.command("replay")
def replay_outboxes(
    service: Annotated[list[str] | None, typer.Argument(help="Whose messages; default: everybody's.")] = None,
    *,
    data: Data = Path("var/stack"),
    days: Annotated[
        int | None, typer.Option(min=1, max=90, help="How far back; default: as far as the stream keeps.")
    ] = None,
) -> None:
    """Say again what the outboxes kept, after JetStream was lost; nothing is done twice."""
    from deploy.backup.cli import run_replay  # noqa: PLC0415  (loaded when called)

    raise typer.Exit(run_replay(data, service or [], days=days))


@app.command("reconcile")
def reconcile_boxes(
    *,
    data: Data = Path("var/stack"),
    days: Annotated[int, typer.Option(min=1, max=14, help="How far back.")] = 2,
    again: Annotated[bool, typer.Option("--again", help="Have said again what somebody misses.")] = False,
    note: Note = None,
) -> None:
    """Hold what was said against what was heard, once a day; ends with 1 where something is missing."""
    from deploy.backup.cli import run_reconcile  # noqa: PLC0415  (loaded when called)

    raise typer.Exit(run_reconcile(data, days=days, again=again, note=note))


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()

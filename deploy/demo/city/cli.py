"""`wugan city`: make the demo city, and tell what is in one."""

import sys
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.city.deliveries import CITY_RECORDS, TooSmallError
from deploy.demo.city.generate import NoRoomError, OccupiedFolderError, generate
from deploy.demo.city.manifest import TRUTH, Manifest, NotACityError, read_manifest

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The demo city: people, a year of lives, the files of 26 departments.",
)


@app.command("generate")
def generate_city(
    *,
    scale: Annotated[
        float, typer.Option(min=0.0001, max=2.0, help="1 is the whole city of 1.36 million people.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the files; an older city in it is replaced.")] = Path("city"),
    rolling: Annotated[
        bool, typer.Option("--rolling", help="Certifications end all through the year instead of all at once.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing unless it fails.")] = False,
) -> None:
    """Make a city and write its grids, rosters, deliveries and truth."""
    console = Console(stderr=True, quiet=quiet)
    columns = TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn()
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("people and lives", total=round(CITY_RECORDS * scale), rate="")

            def tell(what: str, rows: int) -> None:
                progress.update(task, description=what, advance=rows)
                done = progress.tasks[task]
                progress.update(task, rate=f"{done.completed:>12,.0f} rows {done.speed or 0:>11,.0f}/s")

            manifest = generate(scale, seed, out, tell, rolling=rolling)
    except (OccupiedFolderError, NoRoomError, TooSmallError) as error:
        raise _failed(str(error)) from error
    if not quiet:
        _print(manifest)


@app.command("show")
def show_city(*, out: Annotated[Path, typer.Option(help="Folder of a generated city.")] = Path("city")) -> None:
    """Tell what a generated city holds."""
    try:
        _print(read_manifest(out))
    except NotACityError as error:
        raise _failed(str(error)) from error


@app.command("someone")
def show_someone(
    *,
    out: Annotated[Path, typer.Option(help="Folder of a generated city.")] = Path("city"),
    program: Annotated[str, typer.Option(help="Code of a program the person draws.")] = "resident_pension",
    state: Annotated[str, typer.Option(help="alive, dead, missing, in_custody, ...")] = "alive",
) -> None:
    """Print the id number of one invented person, for a first question by hand."""
    try:
        people = pl.read_parquet(read_manifest(out).root / TRUTH)
    except (NotACityError, OSError, pl.exceptions.PolarsError) as error:
        raise _failed(str(NotACityError(out))) from error
    found = people.filter(pl.col("programs").list.contains(program) & (pl.col("state") == state))
    if found.is_empty():
        raise _failed(f"nobody in {out} draws {program} and is {state}")
    sys.stdout.write(found["citizen_id"][0] + "\n")


def _failed(told: str) -> typer.Exit:
    typer.secho(f"wugan city: {told}", err=True, fg="red")
    return typer.Exit(1)


def _print(manifest: Manifest) -> None:
    sys.stdout.write(
        f"{manifest.root}: {manifest.people:,} people, {manifest.enrolments:,} enrolments, "
        f"{manifest.monthly_fen / 100:,.2f} yuan a month, {manifest.grids:,} grids, {manifest.records:,} records "
        f"in {len(manifest.of('source'))} files of {len({file.code for file in manifest.of('source')})} sources, "
        f"{len(manifest.of('roster'))} rosters (scale {manifest.scale}, seed {manifest.seed})\n"
    )


if __name__ == "__main__":
    app()

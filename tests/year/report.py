"""The last screen of a year, and docs/year.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.year.checks import Check
from tests.year.world import World

_INTRO = """# A year of the demo city

Made by `make year`; do not edit. The demo city of {scale:.2%} lives from November 2022 to October 2023, and one month more in
which what is under way is ended. Certifications end all through the year. Fifty sources deliver when they do; members knock
at the doors of whoever the platform asks them to, and at the door stands the truth; villages, towns and officers conclude
cases and decide stops, each by another person. Nothing of it is told to a service but through its API.

{people:,} people in {enrolments:,} enrolments, {records:,} records; {seconds:,.0f} s on this machine.

"""


def merged(checks: Sequence[Check]) -> list[Check]:
    """One check a sentence: times that it held are counted, the first that it did not is told."""
    found: dict[str, list[Check]] = {}
    for each in checks:
        found.setdefault(each.name, []).append(each)
    return [_one(name, same) for name, same in found.items()]


def _one(name: str, same: Sequence[Check]) -> Check:
    bad = [each for each in same if not each.good]
    words = bad[0].found if bad else same[-1].found
    if len(same) > 1:
        words += f" ({len(same) - len(bad)} of {len(same)} times)"
    return Check(name=name, good=not bad, found=words)


def show(console: Console, checks: Sequence[Check], counts: Mapping[str, int]) -> None:
    """Print what happened and what holds."""
    happened = Table(title="What happened", show_header=False, title_justify="left")
    for word, count in sorted(counts.items()):
        happened.add_row(word, f"{count:,}")
    console.print(happened)
    table = Table("", "what must hold", "found", title="Checks", title_justify="left")
    for each in checks:
        table.add_row("[green]holds[/]" if each.good else "[red]fails[/]", each.name, each.found)
    console.print(table)


def write(path: Path, world: World, checks: Sequence[Check], seconds: float) -> None:
    """Keep both as a document."""
    manifest = world.run.manifest
    text = _INTRO.format(
        scale=manifest.scale, people=manifest.people, enrolments=manifest.enrolments, records=manifest.records,
        seconds=seconds,
    )  # fmt: skip
    text += "| what must hold | | found |\n|---|---|---|\n"
    text += "".join(f"| {each.name} | {'holds' if each.good else '**fails**'} | {each.found} |\n" for each in checks)
    text += "\n| what happened | |\n|---|---:|\n"
    text += "".join(f"| {word} | {count:,} |\n" for word, count in sorted(world.counts.items()))
    path.write_text(text, encoding="utf-8")

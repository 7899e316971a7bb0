"""Figures for people and for machines: the table on the screen, docs/benchmarks.md with its head, docs/benchmarks.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figure, number
from tests.bench.promises import Promise, judged, promises

MARKER = "<!-- What stands below this line is written by hand; `make bench` keeps it. -->"
_INTRO = """# Benchmarks

Made by `make bench`; do not edit above the line at the end. Both sides of a row come from one run on one machine and
the same data; only their ratio says something about another machine. Short measurements are medians of runs in turn
(ours, baseline, ours, baseline, …). Servers write through to the disk, as `wugan up` runs them.

"""
_HEAD, _HEAD_ENDS = "<!-- Promises: made of the pages' own figures. -->", "<!-- End of the promises. -->"
_REPEAT = """
## To repeat

`make bench` takes about ten minutes and needs no server. `.venv/bin/python -m tests.bench --only check,bus` measures
some sections, `--scale 0.1` with smaller data; such runs print and write nothing. `--strict` ends with 1 where a budget is
missed. The single runs behind each median are in [benchmarks.json](benchmarks.json).
"""


def table(sections: Mapping[str, Sequence[Figure]]) -> Table:
    """All figures, for a terminal."""
    made = Table(title="figures beside their baselines", title_justify="left")
    made.add_column("figure")
    for name in ("ours", "baseline", "ratio"):
        made.add_column(name, justify="right")
    made.add_column("unit")
    made.add_column("budget")
    for figures in sections.values():
        for each in figures:
            made.add_row(
                each.name, number(each.ours), number(each.baseline), number(each.ratio), each.unit, _budget(each, "[]")
            )
        made.add_section()
    return made


def write(
    folder: Path, sections: Mapping[str, Sequence[Figure]], facts: Mapping[str, str], about: Mapping[str, str]
) -> None:
    """Write both documents; what stands in the old one below the marker stays.

    Args:
        folder: of the documents.
        sections: figures by section.
        facts: the machine.
        about: title of each section and, under its name, what is compared.
    """
    raw = {
        "machine": dict(facts),
        "figures": [{"section": name, **each.plain()} for name, figures in sections.items() for each in figures],
    }
    (folder / "benchmarks.json").write_text(json.dumps(raw, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    path = folder / "benchmarks.md"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    _, marker, by_hand = old.partition(MARKER)
    text = _INTRO + head(folder) + "\n" + "".join(f"* {name}: {value}\n" for name, value in facts.items())
    for name, figures in sections.items():
        text += f"\n## {name}\n\n{about[name]}\n\n{_rows(figures)}"
    kept = by_hand if marker else "\n"
    path.write_text(f"{text}{_REPEAT}\n{MARKER}{kept}", encoding="utf-8")


def head(folder: Path) -> str:
    """What the design promises beside what was last measured, whichever command did."""
    lines = [
        _HEAD, "## What was promised", "", "By the last run of `make city`, `make bench`, `make soon` and `make chaos`.", "",
        "| work | budget | measured | | when |", "|---|---|---|---|---|", *map(_promised, promises(folder)), _HEAD_ENDS,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def renew(folder: Path) -> None:
    """Make the head of the page anew, after something else than `make bench` was measured."""
    path = folder / "benchmarks.md"
    if path.exists() and _HEAD in (text := path.read_text(encoding="utf-8")):
        before, _, rest = text.partition(_HEAD)
        path.write_text(before + head(folder) + rest.partition(f"{_HEAD_ENDS}\n")[2], encoding="utf-8")


def _promised(each: Promise) -> str:
    several = len(each.measured) > 1
    measured = "; ".join(f"{words}{f': {judged(met)}' if several else ''}" for words, met in each.measured)
    page = f"[{each.page}.md]({each.page}.md)" if each.measured else ""
    return f"| {each.work} | {each.budget} | {measured} | **{each.verdict}** | {', '.join(filter(None, (page, each.when)))} |"


def say_missed(console: Console, sections: Mapping[str, Sequence[Figure]]) -> int:
    """Name the budgets that were missed; returns how many."""
    missed = [each for figures in sections.values() for each in figures if each.met is False]
    for each in missed:
        console.print(f"[red]missed[/red]: {each.name}: {each.budget.words if each.budget else ''}, here {number(each.ours)} {each.unit}"
                      f" (ratio {number(each.ratio)})")  # fmt: skip
    return len(missed)


def _rows(figures: Sequence[Figure]) -> str:
    lines = ["| figure | ours | baseline | ratio | unit | budget | what the baseline is |",
             "|---|---:|---:|---:|---|---|---|"]  # fmt: skip
    lines += [
        f"| {each.name} | {number(each.ours)} | {number(each.baseline)} | {number(each.ratio)} | {each.unit} "
        f"| {_budget(each, '')} | {each.note} |"
        for each in figures
    ]
    return "\n".join(lines) + "\n"


def _budget(each: Figure, colours: str) -> str:
    if each.budget is None:
        return ""
    word = "met" if each.met else "missed"
    if colours:
        return f"{each.budget.words} [{'green' if each.met else 'red'}]{word}[/]"
    return f"{each.budget.words}: {word}"

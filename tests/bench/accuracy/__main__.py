"""`make accuracy`: the table on the screen, docs/accuracy.md, docs/accuracy.json and the plot beside them."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from tests.bench.accuracy import SCALE, TEST_SEEDS, TUNING_SEEDS, report
from tests.bench.accuracy.study import study

_DOCS = Path(__file__).parents[3] / "docs"


def main(argv: list[str] | None = None) -> int:
    """Study the test seeds, show, and write the documents unless other seeds or another scale were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.accuracy", description=__doc__)
    parser.add_argument("--seeds", default=",".join(map(str, TEST_SEEDS)), help="cities to be held against their truth")
    parser.add_argument("--scale", type=float, default=SCALE, help="size of each; 1 is 1.36 million people")
    chosen = parser.parse_args(argv)
    seeds = tuple(int(each) for each in chosen.seeds.split(","))
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(f"cities {chosen.seeds} at {chosen.scale:g}; the regression learns from city {TUNING_SEEDS[0]}")
    found = study(seeds, TUNING_SEEDS[0], chosen.scale)
    console.print(report.table(found))
    console.print(report.visits_table(found))
    for line in report.verdict(found):
        console.print(line)
    if seeds == TEST_SEEDS and chosen.scale == SCALE:
        report.write(_DOCS, found)
        console.print("written to docs/accuracy.md, docs/accuracy.json and docs/accuracy.svg")
    return 0 if all(each.met for each in report.targets(found)) else 1


if __name__ == "__main__":
    sys.exit(main())

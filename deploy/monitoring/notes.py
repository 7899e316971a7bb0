"""Notes of commands that end, or that nobody can ask: backup and reconciliation leave their figures for Prometheus.

Each is a file in the text format, as the textfile collector of node_exporter reads it; the exporter serves them too.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Metric, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

FIGURES = {
    "wugan_backup_taken_timestamp_seconds": "When the newest base backup was taken",
    "wugan_backup_followed_timestamp_seconds": "When the archiver last followed what PostgreSQL writes",
    "wugan_reconcile_done_timestamp_seconds": "When what was said was last held against what was heard",
    "wugan_reconcile_missing": "Messages that did not reach somebody they were for, and were not said again",
}


def note(path: Path | None, figures: dict[str, float]) -> None:
    """Leave figures, named as in `FIGURES`, in a file; nothing where none is wanted."""
    if path is None:
        return
    registry = CollectorRegistry()
    for name, value in figures.items():
        Gauge(name, FIGURES[name], registry=registry).set(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), registry)


class Notes(Collector):
    """What the notes in a folder say."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
        """The figures; a note that cannot be read is as good as none."""
        for path in sorted(self._folder.glob("*.prom")):
            with contextlib.suppress(OSError, ValueError):
                yield from text_string_to_metric_families(path.read_text(encoding="utf-8"))

"""The demo's bars: how far each stage is, at what rate, and how long it will still take."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def bars(console: Console) -> Progress:
    """Bars for a terminal; without one nothing is drawn."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def begin(progress: Progress, name: str, total: float | None) -> TaskID:
    """A bar more; whoever knows a rate sets it by `progress.update(task, rate="12 rows/s")`."""
    return progress.add_task(name, total=total, rate="")

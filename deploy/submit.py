"""`wugan submit`: files of departments on their way in, with a bar; broken off, it goes on where it was."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from deploy.demo.client import Client, RefusedError, client

JOURNAL = ".wugan-submitted"
_PIECE = 1 << 20
_COUNTED = ("rows", "accepted", "duplicate", "out_of_window", "quarantined", "new", "changed", "ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions:
    """What is to be sent, and as whom.

    Attributes:
        path: a file, or a folder with files in it.
        source: of every file, or its program; None: the name of the folder in which a file lies.
        client_id: registered client of the platform.
        key: its private key.
        confirm: let files through that were held for their faults.
        again: send what was answered before, too: rows of people who were on no roster then are judged anew.
        roster: the files are rosters of programs, each with everybody in it or with what has changed; None: they are of
            sources.
    """

    path: Path
    source: str | None
    gateway: str
    client_id: str
    key: Path
    confirm: bool = False
    again: bool = False
    roster: Literal["full", "delta"] | None = None

    def place_of(self, path: Path, code: str) -> str:
        """Where a file of a source goes, or of a program."""
        query = {"filename": path.name, "confirm": str(self.confirm).lower()}
        if self.roster is None:
            return f"/v1/sources/{code}/batches?{httpx.QueryParams(query)}"
        return f"/v1/programs/{code}/roster?{httpx.QueryParams(query | {'mode': self.roster})}"


@dataclass(slots=True)
class Journal:
    """What has been answered before, in a file beside the others: one line each."""

    path: Path
    answered: set[str] = field(default_factory=set)

    @classmethod
    def beside(cls, path: Path) -> "Journal":
        """The journal of a folder, or of the folder of a file."""
        place = (path if path.is_dir() else path.parent) / JOURNAL
        journal = cls(place)
        for line in place.read_text(encoding="utf-8").splitlines() if place.exists() else ():
            # The last line may be cut off where the machine was.
            try:
                journal.answered.add(json.loads(line)["key"])
            except (ValueError, KeyError):
                continue
        return journal

    def note(self, key: str, answer: Mapping[str, Any]) -> None:
        """Note an answer."""
        self.answered.add(key)
        line = json.dumps({"key": key, "batch_id": answer["batch_id"], "status": answer["status"]})
        with self.path.open("a", encoding="utf-8") as out:
            out.write(line + "\n")


def files_of(path: Path, source: str | None) -> list[tuple[Path, str]]:
    """Files to be sent with their sources, in the order of their names."""
    found = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return [(each, source or each.parent.name) for each in found if not each.name.startswith((".", "~"))]


def submit(options: SubmitOptions, console: Console) -> int:
    """Send everything; 0 when all was taken, 1 when something was refused or held, 2 when there was nothing to send."""
    files = files_of(options.path, options.source)
    if not files:
        console.print(f"{options.path} holds no file to send.")
        return 2
    return asyncio.run(_submit(options, files, console))


async def _submit(options: SubmitOptions, files: Sequence[tuple[Path, str]], console: Console) -> int:
    journal, counts, troubles = Journal.beside(options.path), Counter[str](), list[str]()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    issuer = f"{options.gateway}/api/recognition"
    async with client(options.gateway, issuer, options.client_id, options.key) as caller:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=sum(path.stat().st_size for path, _ in files))
            for path, source in files:
                progress.update(task, description=f"{source}/{path.name}"[-48:])
                # What a test platform has taken, the real one still waits for.
                kind = f"{options.roster} roster " if options.roster else ""
                key = f"{options.gateway} {kind}{source} {await asyncio.to_thread(_digest, path)}"
                if key in journal.answered and not options.again:
                    counts["files sent before"] += 1
                    progress.advance(task, path.stat().st_size)
                    continue
                try:
                    answer = await _send(caller, path, options.place_of(path, source), (progress, task))
                except (RefusedError, httpx.TransportError) as error:
                    troubles.append(f"{path}: {error}")
                    continue
                if answer["status"] != "completed":
                    troubles.append(
                        f"{path}: it is {answer['status']}, nothing of it counts; --confirm takes it after all"
                    )
                    continue
                journal.note(key, answer)
                counts.update({name: answer.get(name, 0) for name in _COUNTED})
                counts.update({"files": 1, "not taken": sum(answer.get("reasons", {}).values())})
    _print(console, counts, troubles)
    return 1 if troubles else 0


async def _send(caller: Client, path: Path, place: str, progress: tuple[Progress, Any]) -> Mapping[str, Any]:
    bar, task = progress
    start = bar.tasks[0].completed

    async def pieces() -> AsyncIterator[bytes]:
        # Trouble on the way makes the client send the whole file again.
        bar.update(task, completed=start)
        for piece in _read(path):
            yield piece
            bar.advance(task, len(piece))

    headers = {"Content-Type": "application/octet-stream"}
    answer: Mapping[str, Any] = await caller.call("POST", "ingest", place, content=pieces, headers=headers)
    return answer


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield piece


def _digest(path: Path) -> str:
    digest = sha256()
    for piece in _read(path):
        digest.update(piece)
    return digest.hexdigest()


def _print(console: Console, counts: Mapping[str, int], troubles: Sequence[str]) -> None:
    table = Table(box=None, show_header=False)
    for name in ("files", "files sent before", *_COUNTED, "not taken"):
        if counts.get(name):
            table.add_row(name.replace("_", " "), f"{counts[name]:,}")
    console.print(table)
    for trouble in troubles:
        console.print(f"not taken: {trouble}", markup=False, highlight=False)

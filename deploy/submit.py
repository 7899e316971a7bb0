"""`wugan submit`: files of departments on their way in, with a bar; broken off, it goes on where it was."""

import asyncio
import json
import re
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

    def key_of(self, path: Path, code: str) -> str:
        """What stands for a file in the journal: what a test platform has taken, the real one still waits for."""
        kind = f"{self.roster} roster " if self.roster else ""
        return f"{self.gateway} {kind}{code} {_digest(path)}"


@dataclass(slots=True)
class Journal:
    """What has been answered before, in a file beside the others: one line each.

    Attributes:
        misnamed: of programs whose last roster holds names that nobody has looked at, that roster.
    """

    path: Path
    answered: set[str] = field(default_factory=set)
    misnamed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def beside(cls, path: Path) -> "Journal":
        """The journal of a folder, or of the folder of a file."""
        place = (path if path.is_dir() else path.parent) / JOURNAL
        journal = cls(place)
        for line in place.read_text(encoding="utf-8").splitlines() if place.exists() else ():
            # The last line may be cut off where the machine was.
            try:
                said = json.loads(line)
                journal._take(said["key"], misnamed=said.get("misnamed", False))
            except (ValueError, KeyError):
                continue
        return journal

    def note(self, key: str, answer: Mapping[str, Any], *, confirmed: bool) -> None:
        """Note an answer to a file, or to one that somebody had looked at."""
        misnamed = not confirmed and "name_mismatch" in answer.get("reasons", {})
        self._take(key, misnamed=misnamed)
        told = {"key": key, "batch_id": answer["batch_id"], "status": answer["status"], "misnamed": misnamed}
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(told) + "\n")

    def _take(self, key: str, *, misnamed: bool) -> None:
        self.answered.add(key)
        self.misnamed[_place_in(key)] = key if misnamed else ""

    def is_done(self, key: str, *, confirmed: bool) -> bool:
        """Whether a file has its answer; with names somebody has looked at now, the last roster has another one."""
        return key in self.answered and not (confirmed and self.misnamed[_place_in(key)] == key)


def _place_in(key: str) -> str:
    """Platform and program of a key."""
    parts = key.split(" ")
    return f"{parts[0]} {parts[-2]}"


def files_of(path: Path, source: str | None) -> list[tuple[Path, str]]:
    """Files to be sent with their sources, in the order of their names: the 9th before the 10th."""
    found = [path] if path.is_file() else sorted((each for each in path.rglob("*") if each.is_file()), key=_by_number)
    return [(each, source or each.parent.name) for each in found if not each.name.startswith((".", "~"))]


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path)) if part]


def submit(options: SubmitOptions, console: Console) -> int:
    """Send everything; 0 when all was taken, 1 when something was refused or held, 2 when there was nothing to send."""
    files = files_of(options.path, options.source)
    if not files:
        console.print(f"{options.path} holds no file to send.")
        return 2
    return asyncio.run(_submit(options, files, console))


async def _submit(options: SubmitOptions, files: Sequence[tuple[Path, str]], console: Console) -> int:
    journal, counts, troubles = Journal.beside(options.path), Counter[str](), list[str]()
    if several := await asyncio.to_thread(_several_full, options, files, journal):
        console.print(f"{several}: more than one full roster; the last one counts, so send them one by one in order.")
        return 1
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    issuer = f"{options.gateway}/api/recognition"
    async with client(options.gateway, issuer, options.client_id, options.key) as caller:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=sum(path.stat().st_size for path, _ in files))
            for path, source in files:
                progress.update(task, description=f"{source}/{path.name}"[-48:])
                key = await asyncio.to_thread(options.key_of, path, source)
                if journal.is_done(key, confirmed=options.confirm) and not options.again:
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
                journal.note(key, answer, confirmed=options.confirm)
                counts.update({name: answer.get(name, 0) for name in _COUNTED})
                counts.update({"files": 1, "not taken": sum(answer.get("reasons", {}).values())})
    _print(console, counts, troubles)
    return 1 if troubles else 0


def _several_full(options: SubmitOptions, files: Sequence[tuple[Path, str]], journal: Journal) -> str:
    """Programs of which more than one full roster would be sent."""
    if options.roster != "full":
        return ""
    told = {code: {options.key_of(path, code) for path, of in files if of == code} for _, code in files}
    waiting = {code: keys if options.again else keys - journal.answered for code, keys in told.items()}
    return ", ".join(sorted(code for code, keys in waiting.items() if len(keys) > 1))


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

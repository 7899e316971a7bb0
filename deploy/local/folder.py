"""The data folder: what lies where, who works in it, whether there is room."""

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import TextIO

from deploy.local.clients import INSTALLED
from deploy.local.errors import FolderBusyError, ForeignFolderError, NoSpaceError, UnwritableFolderError

_MARKER = "wugan.json"
_DRAFT = "wugan.json.draft"
_LOCK = "lock"
_FORMAT = 1


class DataFolder:
    """A folder that belongs to one stack at a time.

    Layout: `secrets/`, `logs/`, `postgres/`, `nats/`, `gateway/`, `services/<name>/`, `clock.json`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self._lock: TextIO | None = None

    @property
    def secrets(self) -> Path:
        """Keys and passwords, 0700."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        """Owned by the user PostgreSQL runs as."""
        return self.root / "postgres"

    @property
    def nats(self) -> Path:
        """JetStream's store."""
        return self.root / "nats"

    @property
    def gateway(self) -> Path:
        """Caddy's own files."""
        return self.root / "gateway"

    @property
    def clock(self) -> Path:
        """The movable business time; absent while the time is as it is."""
        return self.root / "clock.json"

    @property
    def running(self) -> Path:
        """There while a stack runs, or until the next one where it was killed; names the port of its own NATS."""
        return self.root / "running"

    @property
    def is_installed(self) -> bool:
        """Whether it was set up without the demo's clients."""
        return (self.secrets / "clients" / f"{INSTALLED[-1].client_id}.pem").exists()

    def of_service(self, name: str) -> Path:
        """Files of one service."""
        return self.root / "services" / name

    def open(self, *, fresh: bool, min_free_bytes: int) -> None:
        """Make and lock the folder, empty it when `fresh`.

        Raises:
            FolderBusyError: another stack holds it.
            ForeignFolderError: it holds files that are not ours.
            NoSpaceError: too little room.
            UnwritableFolderError: it cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._refuse_foreign()
            self._take()
            # Before anything else: a folder that is cut off while it is filled or emptied is still known as ours.
            self._mark()
            if fresh:
                self._empty()
            for each in (self.logs, self.nats, self.gateway):
                each.mkdir(exist_ok=True)
            self.secrets.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            self.close()
            raise UnwritableFolderError(self.root, error.strerror or "input/output error") from error
        free = shutil.disk_usage(self.root).free
        if free < min_free_bytes:
            self.close()
            raise NoSpaceError(self.root, free, min_free_bytes)

    def close(self) -> None:
        """Let another stack have it."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def _refuse_foreign(self) -> None:
        present = {each.name for each in self.root.iterdir()}
        # Keys alone are what a restore on a new machine begins with.
        keys = {self.secrets.name} if (self.secrets / "keys.json").exists() else set()
        if present - {_LOCK, _DRAFT} - keys and _MARKER not in present:
            raise ForeignFolderError(self.root)

    def _take(self) -> None:
        file = (self.root / _LOCK).open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise FolderBusyError(self.root, holder) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file

    def _mark(self) -> None:
        draft = self.root / _DRAFT
        draft.write_text(json.dumps({"format": _FORMAT}), encoding="utf-8")
        draft.replace(self.root / _MARKER)

    def _empty(self) -> None:
        for each in self.root.iterdir():
            if each.name in {_LOCK, _MARKER}:
                continue
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                with contextlib.suppress(FileNotFoundError):
                    each.unlink()

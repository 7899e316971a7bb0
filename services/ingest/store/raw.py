"""Raw files under their SHA-256, compressed and sealed, in a folder or any fsspec store: kept whole or not at all."""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO, cast
from uuid import uuid4

import fsspec
import structlog
import zstandard

from services.ingest.store.problems import FileTooLargeError, KeptFileBrokenError, StorageFullError
from services.ingest.store.unpacking import room
from shared.kit.clock import wall
from shared.kit.crypto import SealBrokenError
from shared.kit.sealing import FileSeal, SealedReader

log = structlog.get_logger(__name__)

_PIECE = 1 << 20
_KEPT = ".sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A file as it arrived, still in its scratch folder."""

    path: Path
    scratch: Path
    sha256: str
    size: int


class RawStore:
    """Content-addressed files.

    Args:
        url: fsspec URL of the store.
        scratch: local folder for files under way, in plain as they must be read; nobody else may look into it.
        seal: what is kept is sealed with it, bound to its SHA-256.
    """

    def __init__(self, url: str, scratch: Path, seal: FileSeal) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url, auto_mkdir=True)
        self._scratch = scratch
        self._seal = seal
        # What a killed process left behind belongs to nobody.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _place(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}{_KEPT}"

    async def receive(self, pieces: AsyncIterator[bytes], *, limit: int, declared: int = 0) -> Received:
        """Take a body piece by piece.

        Args:
            pieces: the body.
            limit: most bytes of it.
            declared: how long its sender says it is.

        Raises:
            FileTooLargeError: beyond `limit`.
            StorageFullError: no room.
        """
        _refuse_beyond(declared, limit)
        folder = self._folder()
        path, digest, size = folder / "body", hashlib.sha256(), 0
        try:
            with _full_store():
                out = _own(path)
            try:
                async for piece in pieces:
                    size += len(piece)
                    _refuse_beyond(size, limit)
                    digest.update(piece)
                    with _full_store():
                        out.write(piece)
                # Some folders of other machines tell only at the end that there was no room.
                with _full_store():
                    out.close()
            except BaseException:
                # What found no room is told already; closing would try to write it once more.
                with suppress(OSError):
                    out.close()
                raise
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Received(path=path, scratch=folder, sha256=digest.hexdigest(), size=size)

    def _folder(self) -> Path:
        folder = self._scratch / uuid4().hex
        folder.mkdir(mode=0o700)
        return folder

    def keep(self, received: Received) -> None:
        """Put a received file into the store; already there is fine, unless it does not open.

        Whoever needs it says so first, under the lock of its digest: else who lets go of it may take it away meanwhile.

        Raises:
            StorageFullError: no room.
        """
        place = self._place(received.sha256)
        if self._opens(received.sha256):
            return
        draft = f"{place}.{uuid4().hex}"
        try:
            with _full_store(), received.path.open("rb") as source, self._fs.open(draft, "wb") as target:
                sealed = self._seal.writer(target, bytes.fromhex(received.sha256))
                zstandard.ZstdCompressor(level=1).copy_stream(source, cast(IO[bytes], sealed), read_size=_PIECE)
                sealed.finish()
            with _full_store():
                self._fs.mv(draft, place)
        except StorageFullError:
            if self._fs.exists(draft):
                self._fs.rm(draft)
            raise

    def _opens(self, sha256: str) -> bool:
        if not self._fs.exists(self._place(sha256)):
            return False
        try:
            with self._reader(sha256) as sealed:
                while sealed.read():
                    pass
        except SealBrokenError as error:
            log.warning("kept_file_replaced", sha256=sha256, reason=str(error))
            return False
        return True

    @contextmanager
    def _reader(self, sha256: str) -> Iterator[SealedReader]:
        with self._fs.open(self._place(sha256), "rb") as source:
            yield self._seal.reader(source, bytes.fromhex(sha256))

    def drop(self, sha256: str) -> None:
        """Forget a file nothing refers to."""
        place = self._place(sha256)
        if self._fs.exists(place):
            self._fs.rm(place)

    def fetch(self, sha256: str) -> Received:
        """A local copy of a kept file.

        Raises:
            FileNotFoundError: it is not kept.
            KeptFileBrokenError: it does not open.
            StorageFullError: no room for the copy.
        """
        folder = self._folder()
        path = folder / "body"
        try:
            with _telling(), room(), self._reader(sha256) as sealed, _own(path) as target:
                zstandard.ZstdDecompressor().copy_stream(cast(IO[bytes], sealed), target, read_size=_PIECE)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Received(path=path, scratch=folder, sha256=sha256, size=path.stat().st_size)

    def sweep(self, older_than: float) -> int:
        """Drop what killed processes left half written into the store; older in seconds, by wall time."""
        dropped = 0
        for path, info in self._fs.find(self._root, detail=True).items():
            written = info.get("mtime") or info.get("LastModified") or info.get("created")
            at = written.timestamp() if isinstance(written, datetime) else written
            if not path.endswith(_KEPT) and at is not None and wall() - at > older_than:
                self._fs.rm(path)
                dropped += 1
        return dropped

    def forget(self, received: Received) -> None:
        """Remove the scratch folder of a file."""
        shutil.rmtree(received.scratch, ignore_errors=True)


def _own(path: Path) -> BinaryIO:
    """A new file that only its owner reads."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except SealBrokenError as error:
        detail = (
            f"The kept file of this batch does not open: {error}. The operator must put the key back behind the newer "
            "ones, or bring the file back from a backup."
        )
        raise KeptFileBrokenError(detail) from error


@contextmanager
def _full_store() -> Iterator[None]:
    """What cannot be written has no room; what cannot be read is another trouble, and stays outside."""
    try:
        yield
    except OSError as error:
        detail = "The raw store is full; the operator must make room, then send the file again."
        raise StorageFullError(detail) from error


def _refuse_beyond(size: int, limit: int) -> None:
    if size > limit:
        detail = f"At most {limit} bytes; split the file."
        raise FileTooLargeError(detail)

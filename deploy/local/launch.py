"""Become another program that cannot outlive its parent: run by path with `python -I -S`, imports nothing of ours.

Arguments: parent process id, signal on the parent's death, uid, gid (-1 each: keep), 1 to keep passing closed folders,
then the program and its arguments.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def _keep_passing_folders(libc: ctypes.CDLL) -> None:
    # PostgreSQL refuses root, and an ordinary user cannot pass a 0700 home of root in which the checkout may lie.
    mask = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    libc.capset(header, data)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def main(arguments: list[str]) -> None:
    """Drop to the user, tie the life to the parent's, and exec."""
    parent, on_death, uid, gid, pass_folders = (int(each) for each in arguments[:5])
    program = arguments[5:]
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if uid >= 0:
        if libc and pass_folders:
            libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        if libc and pass_folders:
            _keep_passing_folders(libc)
    if libc:
        # A change of user clears it, hence last.
        libc.prctl(_PR_SET_PDEATHSIG, on_death, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended meanwhile")
    try:
        os.execv(program[0], program)  # noqa: S606  (becoming that program is what this file is for)
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])

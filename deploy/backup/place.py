"""The folder of backups: what lies where, which keys it belongs to.

Layout: `wal/<cluster>.<timeline>/` (everything PostgreSQL wrote, without gaps; a restored cluster begins a timeline of
its own), `base/<UTC stamp>/cluster` (a verified copy to start from), `base/<UTC stamp>/facts.json`, `files/<service>/`
(raw files, named by their content). Keys and passwords are not in it: whoever holds a backup alone reads no name.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.secrets import Secrets

_MARKER = "wugan-backups.json"
_FORMAT = 1
STAMP = "%Y%m%dT%H%M%S.%fZ"


class BackupError(StackError):
    """A backup or a restore that cannot be done; the sentence says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one base backup.

    Attributes:
        taken_at: when it was complete, ISO 8601 in UTC; no earlier moment can be restored from it.
        keys: fingerprint of the keys its sealed columns need.
        system: identifier of the cluster; WAL of another one does not fit.
        first_wal: name of the first WAL segment it needs.
    """

    taken_at: str
    keys: str
    system: str
    first_wal: str


@dataclass(frozen=True, slots=True)
class Base:
    """One base backup."""

    folder: Path
    facts: Facts

    @property
    def name(self) -> str:
        """Its stamp."""
        return self.folder.name

    @property
    def cluster(self) -> Path:
        """The copied cluster."""
        return self.folder / "cluster"

    @property
    def taken_at(self) -> datetime:
        """When it was complete."""
        return datetime.fromisoformat(self.facts.taken_at)


class Place:
    """A folder of backups."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    def wal(self, system: str, timeline: str) -> Path:
        """Where the WAL of one timeline of one cluster is archived."""
        return self.root / "wal" / f"{system}.{timeline}"

    def archives(self, system: str | None = None) -> list[Path]:
        """The folders of archived WAL, of one cluster or of all."""
        return sorted((self.root / "wal").glob(f"{system or '*'}.*"))

    @property
    def files(self) -> Path:
        """Raw files by service."""
        return self.root / "files"

    def open(self) -> None:
        """Make the folder, closed to everybody else.

        Raises:
            BackupError: it holds files that are not ours, or cannot be written.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            present = {each.name for each in self.root.iterdir()}
            if present and _MARKER not in present:
                msg = f"{self.root} holds files that are no backups: choose an empty or new folder with --to."
                raise BackupError(msg)
            (self.root / _MARKER).write_text(json.dumps({"format": _FORMAT}), encoding="utf-8")
            for each in (self.root / "wal", self.files, self.root / "base"):
                each.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            msg = f"{self.root} cannot be used for backups ({error.strerror}): choose another folder with --to."
            raise BackupError(msg) from error

    def draft(self) -> Path:
        """Where a base backup lies while it is not whole."""
        return self.root / "base" / "draft"

    def keep(self, draft: Path, facts: Facts) -> Base:
        """Give a whole base backup its name; a folder without facts is none."""
        (draft / "facts.json").write_text(json.dumps(asdict(facts), indent=1), encoding="utf-8")
        folder = draft.with_name(datetime.fromisoformat(facts.taken_at).strftime(STAMP))
        draft.rename(folder)
        return Base(folder, facts)

    def bases(self) -> list[Base]:
        """Whole base backups, oldest first.

        Raises:
            BackupError: this is no folder of backups.
        """
        if not (self.root / _MARKER).exists():
            msg = f"{self.root} is no folder of backups: `wugan backup --to` makes one."
            raise BackupError(msg)
        found = sorted((self.root / "base").glob("*T*Z/facts.json"))
        return [Base(path.parent, Facts(**json.loads(path.read_text(encoding="utf-8")))) for path in found]

    def choose(self, name: str | None, at: datetime | None) -> Base:
        """The base backup to start from: the named one, else the newest that is not after `at`.

        Raises:
            BackupError: there is none.
        """
        bases = self.bases()
        fitting = [base for base in bases if (name or base.name) == base.name and not (at and base.taken_at > at)]
        if not fitting:
            there = ", ".join(base.name for base in bases) or "none"
            msg = f"No base backup in {self.root} fits: those there are {there} (UTC)."
            raise BackupError(msg)
        return fitting[-1]


def fits(facts: Facts, secrets: Secrets) -> bool:
    """Whether a backup was written with these keys; those from before grid had its own do not say which."""
    return facts.keys in {fingerprint(secrets), _word(_of_before(secrets))}


def fingerprint(secrets: Secrets) -> str:
    """A word that changes with the keys a restored city cannot be used without; it reveals none of them."""
    return _word([*_of_before(secrets), secrets.grid_key])


def _of_before(secrets: Secrets) -> list[str]:
    # The vault's keys only grow (the first seals, all open), so the oldest says which family they are of.
    return [secrets.subject_key, secrets.name_key, secrets.vault_keys.rsplit(",", 1)[-1]]


def _word(keys: list[str]) -> str:
    parts = "\n".join(keys)
    return blake2b(parts.encode(), digest_size=8, person=b"wugan-backup").hexdigest()

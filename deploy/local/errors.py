"""What can go wrong with the local stack, each in one sentence that says what to do."""

from pathlib import Path


class StackError(Exception):
    """Base: its text is a whole sentence for the person at the terminal."""


class PortInUseError(StackError):
    """Something else listens where we would."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(
            f"Port {port}, wanted by {name}, is in use by another program: "
            f"stop that program or choose other ports with --port-base."
        )


class NoSpaceError(StackError):
    """The disk of the data folder is nearly full."""

    def __init__(self, folder: Path, free: int, wanted: int) -> None:
        super().__init__(
            f"Only {free / 2**30:.1f} GiB are free where {folder} lies and {wanted / 2**30:.1f} GiB are needed: "
            f"make room or choose another folder with --data."
        )


class FolderBusyError(StackError):
    """Another stack works in the folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"{folder} is in use by a running wugan (process {holder}): "
            f"stop that one or choose another folder with --data."
        )


class ForeignFolderError(StackError):
    """A folder with somebody else's files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds files that are not wugan's: "
            f"choose an empty or new folder with --data so that nothing is lost."
        )


class UnwritableFolderError(StackError):
    """A folder that cannot be made or written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"{folder} cannot be used as data folder ({reason}): choose another one with --data.")


class OldClusterError(StackError):
    """A data folder of another PostgreSQL version."""

    def __init__(self, folder: Path, found: str, wanted: str) -> None:
        super().__init__(
            f"{folder} was written by PostgreSQL {found} and this is PostgreSQL {wanted}: "
            f"dump and restore it, or start anew with --fresh."
        )


class MissingProgramError(StackError):
    """A program that should have come with the wheels is absent."""

    def __init__(self, program: str) -> None:
        super().__init__(f"The program {program} is not installed beside Python: run `make setup`.")


class NoSecretsError(StackError):
    """A folder in which the keys of an installation should lie."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} does not hold the keys of an installation: put them there; `wugan secrets` makes new ones."
        )


class InstalledError(StackError):
    """The demo's clients would be let into an installation."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} was set up without the demo's clients, one of whom may do everything: start it with --no-demo."
        )


class DiedError(StackError):
    """A process ended before it was ever ready."""

    def __init__(self, name: str, how: str, last: str, log: Path) -> None:
        told = f" saying “{last}”" if last else ""
        super().__init__(
            f"{name} {how} before it was ready,{told or ' saying nothing'}: see {log}, mend it and start again."
        )


class NotReadyError(StackError):
    """A process runs but does not become ready."""

    def __init__(self, name: str, seconds: float, log: Path) -> None:
        super().__init__(f"{name} was not ready within {seconds:.0f} s: see {log} for what it waits for.")


class KeepsDyingError(StackError):
    """A process that does not stay up."""

    def __init__(self, name: str, deaths: int, seconds: float, log: Path) -> None:
        super().__init__(
            f"{name} ended {deaths} times within {seconds:.0f} s, so it is not started again: see {log} for the reason."
        )


class MigrationError(StackError):
    """A schema could not be brought up to date."""

    def __init__(self, service: str, last: str, log: Path) -> None:
        super().__init__(f"The migration of {service} failed, saying “{last}”: see {log}, mend it and start again.")


class BootstrapError(StackError):
    """Roles and schemas could not be made."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The database, schemas and roles could not be made, PostgreSQL saying “{said}”: "
            f"WUGAN_DATABASE_URL must name a user who may create databases and roles."
        )


class TooFewConnectionsError(StackError):
    """The server takes fewer connections than the processes need."""

    def __init__(self, room: int, processes: int, wanted: int) -> None:
        super().__init__(
            f"PostgreSQL leaves {room} connections to ordinary roles and {processes} service processes need "
            f"{wanted}: raise its max_connections or start fewer processes with --workers."
        )


class ClusterError(StackError):
    """initdb failed."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"A new PostgreSQL cluster could not be made, initdb saying “{said}”: choose another --data folder."
        )


class UnsafeNatsError(StackError):
    """JetStream that may forget what it acknowledged."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"NATS at {where} does not write every message to disk before it acknowledges it: "
            f"set `sync_interval: always` in its jetstream settings."
        )


class FreshNatsError(StackError):
    """We do not empty a NATS that is not ours."""

    def __init__(self) -> None:
        super().__init__(
            "--fresh does not empty the server named by WUGAN_NATS_URL: "
            "remove its streams with `nats stream rm`, or unset WUGAN_NATS_URL."
        )


class UnprovedNatsError(StackError):
    """Nobody can ask a NATS that is not ours whether it writes before it acknowledges."""

    def __init__(self) -> None:
        super().__init__(
            "Nothing proves that the server named by WUGAN_NATS_URL writes every message to disk before it "
            "acknowledges it: name its monitoring in WUGAN_NATS_MONITOR_URLS (http://host:8222), "
            "or set WUGAN_NATS_UNPROVED=true."
        )


class DemoNatsError(StackError):
    """The demo needs a NATS nobody has said anything to."""

    def __init__(self) -> None:
        super().__init__(
            "The demo starts with an empty NATS and never empties the server named by WUGAN_NATS_URL: "
            "unset WUGAN_NATS_URL and it starts one of its own."
        )


class DatabaseUrlError(StackError):
    """A URL no server can be found by; it is not repeated, since it holds a password."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"WUGAN_DATABASE_URL is no address of a PostgreSQL ({why}): write it as "
            f"postgresql://user:password@host:5432/database, with %40 for @, %2F for / and %3A for : in a password."
        )


class UnknownProcessError(StackError):
    """A name that is no part of this stack."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no process {name} in this stack: its processes are {', '.join(known)}.")

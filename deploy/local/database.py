"""Database, schemas and roles: the SQL files of deploy/postgres, run by psql against any server."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from deploy.local.errors import BootstrapError, DatabaseUrlError
from deploy.local.programs import DEPLOY, postgres_program

SQL = DEPLOY / "postgres"
DEFAULT_DATABASE = "wugan"
_SECURE = ("require", "verify-ca", "verify-full")
_SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A PostgreSQL server and an administrator of it.

    Attributes:
        options: what the URL said after `?`, e.g. `sslmode`, for everybody who connects.
    """

    host: str
    port: int
    user: str
    password: str
    options: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """For PostgreSQL's own programs: a command line can be read by every user of the machine."""
        return {
            **{f"PG{key.upper()}": value for key, value in parse_qsl(self.options)},
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
        }

    def program(self, name: str) -> str:
        """Path of a program to reach it with: that of the wheel, which speaks no TLS, or one that is installed.

        Raises:
            MissingProgramError: there is none.
        """
        secure = dict(parse_qsl(self.options)).get("sslmode", "prefer") in _SECURE
        return (shutil.which(name) if secure else None) or postgres_program(name)

    def url(self, database: str, *, user: str | None = None, password: str | None = None) -> str:
        """`postgresql://user:password@host:port/database`, of the administrator unless told otherwise."""
        name, secret = (user, password) if user else (self.user, self.password)
        who = quote(name, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{who}@{host}:{self.port}/{database}{f'?{self.options}' if self.options else ''}"


def parse_url(url: str) -> tuple[Server, str]:
    """Server and database of a URL; the database is `wugan` where the URL names none or only `postgres`.

    Raises:
        DatabaseUrlError: it is malformed.
    """
    # urllib quotes the bad part, which is the end of a password that holds a `/`: its words are not passed on.
    try:
        parts = urlsplit(url)
    except ValueError:
        raise DatabaseUrlError("its host is malformed") from None
    try:
        port = parts.port or 5432
    except ValueError:
        raise DatabaseUrlError("its port is no number up to 65535") from None
    if parts.scheme not in _SCHEMES:
        raise DatabaseUrlError("it does not start with postgresql://")
    if "\0" in unquote(url) or not all(key.isidentifier() for key, _ in parse_qsl(parts.query)):
        raise DatabaseUrlError("it holds what no address holds")
    server = Server(
        host=parts.hostname or "127.0.0.1",
        port=port,
        user=unquote(parts.username or "postgres"),
        password=unquote(parts.password or ""),
        options=parts.query,
    )
    named = unquote(parts.path.lstrip("/"))
    return server, named if named not in {"", "postgres"} else DEFAULT_DATABASE


def role_of(database: str, service: str) -> str:
    """Role of a service in a database; the SQL makes the same name."""
    return f"{database}_{service}"


async def bootstrap(server: Server, database: str, passwords: Mapping[str, str]) -> None:
    """Make database, schemas, roles and grants; what exists is kept, passwords are set anew.

    Args:
        server: where, and as whom.
        database: its name.
        passwords: by service.

    Raises:
        BootstrapError: with what PostgreSQL said.
    """
    told = {f"WUGAN_PASSWORD_{service.upper()}": password for service, password in passwords.items()}
    await _psql(server, "postgres", "--file", str(SQL / "bootstrap.sql"), env=told | {"WUGAN_DATABASE": database})


async def empty(server: Server, database: str) -> None:
    """Remove the five schemas."""
    await _psql(server, database, "--file", str(SQL / "empty.sql"))


async def drop(server: Server, database: str) -> None:
    """Remove a database and its roles, whoever is connected."""
    await _psql(server, "postgres", "--file", str(SQL / "drop.sql"), env={"WUGAN_DATABASE": database})


async def read_marks(server: Server, database: str) -> dict[str, str]:
    """The comment on each schema, by schema."""
    marked = "SELECT nspname, obj_description(oid) FROM pg_namespace WHERE obj_description(oid) LIKE 'migrated %'"
    said = await ask(server, database, marked)
    return dict(line.split("|", 1) for line in said.splitlines() if "|" in line)


async def ask(server: Server, database: str, sql: str) -> str:
    """The rows of a query, its columns between bars."""
    return await _psql(server, database, "--tuples-only", "--no-align", "--command", sql)


async def write_mark(server: Server, database: str, schema: str, mark: str) -> None:
    """Put a comment on a schema; both words are ours."""
    await _psql(server, database, "--command", f"COMMENT ON SCHEMA {schema} IS '{mark}'")


async def _psql(server: Server, database: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    surroundings = {
        **os.environ,
        **(env or {}),
        **server.environment,
        "PGDATABASE": database,
        "PGCONNECT_TIMEOUT": "10",
    }
    process = await asyncio.create_subprocess_exec(
        server.program("psql"),
        "--no-psqlrc",
        "--quiet",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=surroundings,
    )
    out, err = await process.communicate()
    if process.returncode:
        lines = err.decode(errors="replace").strip().splitlines()
        raise BootstrapError(lines[0].split("error: ", 1)[-1] if lines else "nothing")
    return out.decode()

"""Builds recognition: the only place that puts its parts together."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import cast

import httpx
import orjson
from pydantic import TypeAdapter

import services.recognition as card
from services.recognition import api, handlers, programs, tables
from services.recognition.domain.limits import Policy
from services.recognition.jobs import (
    BulkLoop,
    ChaseLoop,
    MoneyLoop,
    RefusalLoop,
    RunLoop,
    SealLoop,
    WaitingLoop,
)
from services.recognition.schemas.clients import ClientFile
from services.recognition.settings import RecognitionSettings
from services.recognition.store import clients
from services.recognition.store.clients import Client
from services.recognition.store.files import Files
from services.recognition.store.lookups import LOOK_AND_LOG_EACH
from services.recognition.usecases.deps import Bulk
from services.recognition.usecases.facing import FaceProvider
from services.recognition.usecases.limits import TOKENS_TOO_FAST, TOO_FAST, Limiter
from services.recognition.usecases.partners import Partners
from services.recognition.usecases.references import References
from services.recognition.usecases.refusals import Refusals
from services.recognition.usecases.tokens import Issuer
from shared.kit.app import Parts, Platform, Service
from shared.kit.auth import Keys
from shared.kit.crypto import Pseudonymiser, Vault
from shared.kit.db import Database
from shared.kit.http import load_key
from shared.kit.problems import UnavailableError
from shared.kit.together import Together


def make_deps(platform: Platform, face: FaceProvider | None = None) -> api.RouteDeps:
    """Dependencies on a running platform."""
    settings = cast(RecognitionSettings, platform.settings)
    return api.RouteDeps(
        database=platform.database,
        outbox=platform.outbox,
        clock=platform.clock,
        programs=programs.load(),
        subjects=Pseudonymiser.from_hex(settings.subject_key),
        pairwise=Pseudonymiser.from_hex(settings.subject_key, purpose=b"pairwise"),
        references=References(bytes.fromhex(settings.subject_key.get_secret_value())),
        notice_days=settings.recognition_notice_days,
        batch_limit=settings.recognition_batch_limit,
        issuer=make_issuer(settings),
        wake_runs=asyncio.Event(),
        wake_bulk=asyncio.Event(),
        bulk=make_bulk(settings),
        limiter=Limiter(make_policy(settings), platform.database),
        persons=Limiter(make_policy_of_persons(settings), platform.database, TOO_FAST),
        addresses=Limiter(make_policy_of_addresses(settings), platform.database, TOKENS_TOO_FAST),
        refusals=Refusals(platform.database),
        checks=Together(platform.database, LOOK_AND_LOG_EACH, seconds=settings.db_acquire_seconds),
        audit_key=make_audit_key(settings),
        vault=Vault.from_settings(settings.vault_keys),
        chase_hours=settings.recognition_chase_hours,
        plain_webhooks=settings.recognition_plain_webhooks,
        partners=make_partners(settings, platform.database),
        face=face,
    )


def make_partners(settings: RecognitionSettings, database: Database) -> Partners | None:
    """Learns who the partners are, where an outside issuer gives the tokens and no file lists its clients."""
    listed = settings.recognition_clients_file or settings.recognition_issuer_key_file
    return None if listed else Partners(database)


def make_policy(settings: RecognitionSettings) -> Policy:
    """How much one client may ask."""
    return Policy(
        rate=settings.recognition_requests_per_second,
        burst=settings.recognition_burst,
        day=settings.recognition_people_per_day,
    )


def make_policy_of_persons(settings: RecognitionSettings) -> Policy:
    """How much one person may ask."""
    return Policy(
        rate=settings.recognition_person_requests_per_second,
        burst=settings.recognition_person_burst,
        day=settings.recognition_people_per_day,
    )


def make_policy_of_addresses(settings: RecognitionSettings) -> Policy:
    """How many tokens may be asked for from one address, of which no person is asked about."""
    return Policy(rate=settings.recognition_tokens_per_second, burst=settings.recognition_tokens_burst, day=1)


def make_audit_key(settings: RecognitionSettings) -> bytes:
    """Key of the chain over the usage log; where none is kept apart it follows from the key of subjects."""
    if settings.recognition_audit_key is not None:
        return bytes.fromhex(settings.recognition_audit_key.get_secret_value())
    return blake2b(bytes.fromhex(settings.subject_key.get_secret_value()), person=b"usage-audit").digest()


def make_bulk(settings: RecognitionSettings) -> Bulk:
    """Places and bounds of jobs; what a killed process left in the scratch folder belongs to nobody."""
    scratch = settings.data_dir / f"scratch-{settings.port}"
    shutil.rmtree(scratch, ignore_errors=True)
    return Bulk(
        files=Files(settings.recognition_files_url or f"file://{settings.data_dir.resolve() / 'jobs'}"),
        scratch=scratch,
        most_bytes=settings.recognition_list_bytes,
        most_lines=settings.recognition_list_lines,
        open_jobs=settings.recognition_open_jobs,
        keep_hours=settings.recognition_result_hours,
        confirm_days=settings.recognition_confirm_days,
    )


def make_face(settings: RecognitionSettings, client: httpx.AsyncClient) -> FaceProvider | None:
    """The provider of face checks, where one is configured."""
    if not (settings.recognition_face_issuer and settings.recognition_face_jwks_url):
        return None
    return FaceProvider(
        issuer=settings.recognition_face_issuer,
        audience=settings.recognition_face_audience,
        keys=Keys(settings.recognition_face_jwks_url, client),
    )


def make_issuer(settings: RecognitionSettings) -> Issuer | None:
    """The built-in issuer, where its key is configured."""
    if settings.recognition_issuer_key_file is None:
        return None
    return Issuer(
        key=load_key(settings.recognition_issuer_key_file),
        url=settings.issuer_url,
        audience=settings.audience,
        seconds=settings.recognition_token_seconds,
        subjects=Pseudonymiser.from_hex(settings.subject_key),
    )


def read_clients(path: Path) -> list[Client]:
    """Clients of the file.

    Raises:
        ValidationError: the file is not a list of clients.
    """
    listed = TypeAdapter(list[ClientFile]).validate_python(orjson.loads(path.read_bytes()))
    return [Client(**dict(each)) for each in listed]


async def register_clients(database: Database, listed: list[Client]) -> None:
    """Make the issuer's clients those of the list."""
    async with database.write() as tx:
        await clients.save_clients(tx, listed)


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[Parts]:
    """The parts of recognition on a running platform."""
    settings = cast(RecognitionSettings, platform.settings)
    if settings.recognition_clients_file is not None:
        await register_clients(platform.database, read_clients(settings.recognition_clients_file))
    async with httpx.AsyncClient() as client:
        deps = make_deps(platform, make_face(settings, client))
        loops = (
            RunLoop(deps, deps.wake_runs),
            BulkLoop(deps, deps.wake_bulk),
            ChaseLoop(deps),
            MoneyLoop(deps),
            SealLoop(deps),
            WaitingLoop(deps),
            RefusalLoop(deps.refusals),
        )

        async def working() -> int:
            return sum([await each.working() for each in loops])

        yield Parts(
            deps=deps,
            subscriptions=handlers.subscriptions(deps),
            background=[each.run for each in loops],
            working=working,
        )
        with suppress(UnavailableError):  # who stops because the database is away has nowhere to write
            await deps.refusals.flush()


SERVICE = Service(
    name="recognition",
    settings=RecognitionSettings,
    metadata=tables.METADATA,
    routers=api.ROUTERS,
    build=build,
    streamed=(r"/v1/jobs", r"/v1/payruns"),
    partitioned=("usage", "partner_event"),
    description=card.__doc__ or "",
)

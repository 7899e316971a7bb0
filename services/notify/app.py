"""The only place that builds notify."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast

import httpx
import structlog

from services.notify import api, handlers, jobs, tables
from services.notify import channels as channel_files
from services.notify import templates as template_files
from services.notify.channels import ReadyChannel, Send
from services.notify.channels.webhook import Poster, WebhookSettings
from services.notify.domain.schedule import Hours
from services.notify.settings import NotifySettings
from services.notify.usecases import send
from services.notify.usecases.deps import Deps, ways_of
from shared.kit.app import LookLog, Parts, Platform, Service
from shared.kit.crypto import Pseudonymiser, Vault, named_keys

log = structlog.get_logger(__name__)

_CONNECTIONS = httpx.Limits(max_connections=50, max_keepalive_connections=50)


def open_senders(channels: dict[str, ReadyChannel], client: httpx.AsyncClient) -> dict[str, Send]:
    """The functions that hand messages over, of the channels that are on; says which are off, and why."""
    senders = {}
    for code, each in channels.items():
        if each.off is not None:
            log.warning("channel_off", channel=code, reason=each.off)
        elif each.channel.open is not None:
            senders[code] = each.channel.open(each.settings, client)
    return senders


async def ask_figures(platform: Platform, service: str) -> Mapping[str, Any] | None:
    """The figures of another service."""
    found: Mapping[str, Any] | None = await platform.peers.get_json(f"{platform.settings.peer_url(service)}/v1/figures")
    return found


async def ask_labels(platform: Platform) -> Mapping[str, str]:
    """Labels of recognition's programs by code."""
    found = await platform.peers.get_json(f"{platform.settings.peer_url('recognition')}/v1/programs")
    return {str(each["code"]): str(each["label"]) for each in found["items"]}


def open_poster(channel: ReadyChannel) -> Poster | None:
    """What calls partners' endpoints; None where that is off."""
    assert isinstance(channel.settings, WebhookSettings)
    return Poster(channel.settings) if channel.off is None else None


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[Parts]:
    settings = cast(NotifySettings, platform.settings)
    found = channel_files.discover()
    channels = channel_files.ready(found)
    templates = template_files.discover(set(found))
    sms = channels["sms"]
    if sms.off is None and not sms.setting("sandbox"):
        template_files.check_approvals(templates)
    # No redirects: a provider's address is what the settings say.
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(limits=_CONNECTIONS, follow_redirects=False, trust_env=False)
        )
        poster = open_poster(channels["webhook"])
        if poster is not None:
            stack.push_async_callback(poster.close)
        # The last to be taken away when keys change: places in lists outlive that, and need no key of their own.
        *_, oldest = named_keys(settings.vault_keys).values()
        deps = Deps(
            database=platform.database,
            outbox=platform.outbox,
            clock=platform.clock,
            vault=Vault.from_settings(settings.vault_keys),
            templates=templates,
            channels=channels,
            ways=ways_of(channels),
            senders=open_senders(channels, client),
            ask_figures=partial(ask_figures, platform),
            ask_labels=partial(ask_labels, platform),
            poster=poster,
            test_recipients=frozenset(
                each.strip() for each in settings.notify_test_recipients.split(",") if each.strip()
            ),
            hours=Hours(opens=settings.notify_opens_at, closes=settings.notify_closes_at),
            lease_seconds=settings.notify_lease_seconds,
            wait_days=settings.notify_wait_days,
            cursor_key=Pseudonymiser(oldest, purpose=b"notify cursor").one("key").bytes,
        )

        async def working() -> int:
            async with platform.database.read() as tx:
                return await send.count_working(tx, deps)

        yield Parts(
            deps=deps,
            subscriptions=handlers.subscriptions(deps),
            background=jobs.background(deps),
            working=working,
        )


SERVICE = Service(
    name="notify",
    settings=NotifySettings,
    metadata=tables.METADATA,
    routers=api.ROUTERS,
    build=build,
    looks=LookLog(
        columns="""id AS seq, at, client_id, who AS "user", subject, 'messages' AS what""",
        note="INSERT INTO look (at, client_id, who, subject, found) VALUES ($1, $2, $3, $4, 0)",
    ),
    description=__doc__ or "",
)

"""What the verbs need; built once by the app."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.notify.channels import ReadyChannel, Send
from services.notify.channels.webhook import Poster
from services.notify.domain.delivery import Reach
from services.notify.domain.plan import Plan, Way, plan
from services.notify.domain.schedule import Hours, next_open
from services.notify.domain.template import Template
from shared.kit.clock import Clock
from shared.kit.crypto import Vault
from shared.kit.db import Database
from shared.kit.outbox import Outbox

AskFigures = Callable[[str], Awaitable[Mapping[str, Any] | None]]
AskLabels = Callable[[], Awaitable[Mapping[str, str]]]


async def _nobody(_service: str) -> Mapping[str, Any] | None:
    return None


def ways_of(channels: Mapping[str, ReadyChannel]) -> dict[str, Way]:
    """The channels as planning sees them."""
    return {
        code: Way(
            code=code,
            reach=each.channel.reaches,
            at_once=each.at_once,
            disturbs=each.channel.quiet_hours,
            on=each.off is None,
            speaks_like=each.channel.speaks_like,
            audiences=each.channel.audiences,
        )
        for code, each in channels.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What the verbs need.

    Attributes:
        ways: the channels as planning sees them.
        senders: function that hands messages over, of each channel that is on and not delivered by being written.
        hours: when people may be disturbed.
        lease_seconds: how long a claimed delivery is left to its sender.
        wait_days: how long a message waits for a phone to become known.
        test_recipients: to whom samples may be sent.
        ask_figures: the figures of another service, by its name.
        labels: of programs by code, as recognition last told them; `usecases.labels` changes them in place.
        ask_labels: asks recognition for them; None where nobody can be asked.
        wake, hooks_wake, receipts_wake: set when there is something to send, to post, to say of posts.
        poster: calls partners' endpoints; None where that is off.
        jitter: in [0, 1), spreads new tries.
    """

    database: Database
    outbox: Outbox
    clock: Clock
    vault: Vault
    templates: Mapping[str, Template]
    channels: Mapping[str, ReadyChannel]
    ways: Mapping[str, Way]
    senders: Mapping[str, Send]
    hours: Hours
    lease_seconds: float
    wait_days: int
    cursor_key: bytes
    test_recipients: frozenset[str] = frozenset()
    ask_figures: AskFigures = _nobody
    labels: dict[str, str] = field(default_factory=dict)
    ask_labels: AskLabels | None = None
    poster: Poster | None = None
    jitter: Callable[[], float] = random.random
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    hooks_wake: asyncio.Event = field(default_factory=asyncio.Event)
    receipts_wake: asyncio.Event = field(default_factory=asyncio.Event)

    def plan(self, template: str) -> Plan:
        """Today's plan of a template."""
        chosen = self.templates[template]
        return plan(chosen, chosen.version_on(self.clock.today()), self.ways)

    def announced(self) -> list[tuple[Template, Way]]:
        """Today's channels that are only for people without a phone, by template."""
        return [
            (each, way) for code, each in self.templates.items() for way in self.plan(code).first if way.without_phone
        ]

    def opens(self) -> datetime:
        """When people may be disturbed next."""
        return next_open(self.clock.now(), self.hours)

    def village_channels(self) -> list[str]:
        """Channels by which a village brings what it has been handed."""
        return [code for code, way in self.ways.items() if way.reach is Reach.VILLAGE]

    def phone_channels(self) -> list[str]:
        """Channels that need a phone."""
        return [code for code, way in self.ways.items() if way.reach is Reach.PHONE]

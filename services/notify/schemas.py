"""Shapes of requests and answers."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.notify.domain.delivery import Reach, Status, Told
from services.notify.domain.languages import Language
from shared.contracts.vocabulary import Audience, SubscriptionStatus

NoNul = r"^[^\x00]*$"
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
Codes = Annotated[list[Code], Field(max_length=50)]
Variable = Annotated[str, Field(max_length=60, pattern=NoNul)] | int | Codes | None


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchRequest(Request):
    """Whose messages."""

    subject: UUID
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-]+$")] | None = None


class AskRequest(Request):
    """A notice to one person.

    Attributes:
        key: the caller's own name for it: asked twice under one key, it is told once.
    """

    template: Code
    subject: UUID
    key: Annotated[str, Field(min_length=8, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,40}$")], Variable]


class PreviewRequest(Request):
    """Values to show a template with; without them long samples are shown."""

    version: Annotated[int, Field(ge=1, le=32767)] | None = None
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,40}$")], Variable] | None = None


class PreferenceRequest(Request):
    """What a person asks for.

    Attributes:
        information: False: nothing but legal notices is sent; the inbox keeps the rest.
        large_print: letters in large print.
        language: where a text has no words in it, it is Chinese.
    """

    subject: UUID
    information: bool = True
    large_print: bool = False
    language: Language = Language.CHINESE


class PreferenceSearch(Request):
    """Whose preference."""

    subject: UUID


class PreferenceOut(BaseModel):
    """What a person asked for; `changed_at` is null while he has asked for nothing."""

    subject: UUID
    information: bool
    large_print: bool
    language: Language
    changed_at: AwareDatetime | None


class DeliveryOut(BaseModel):
    """One attempt on one channel.

    Attributes:
        parts: what the provider bills.
        cost_fen: what that costs by the prices in the settings.
        digest: SHA-256, in hex, of title, zero byte and text as they were handed over.
    """

    channel: str
    attempt: int
    status: Status
    reason: str | None
    provider: str | None
    reference: str | None
    parts: int
    cost_fen: float
    digest: str | None
    due_at: AwareDatetime
    handed_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class MessageOut(BaseModel):
    """A message with its delivery log; the text as the inbox shows it, with today's labels.

    Attributes:
        read_at: when its person first looked at it in his inbox.
        given_up: what it says is not so any more.
    """

    id: UUID
    template: str
    version: int
    label: str
    audience: Audience
    legal: bool
    subject: UUID | None
    recipient: str | None
    division: str | None
    status: Told
    refused: str | None
    given_up: bool
    in_inbox: bool
    read_at: AwareDatetime | None
    title: str
    text: str
    created_at: AwareDatetime
    deliveries: list[DeliveryOut]


class MessagesOut(BaseModel):
    """Messages, newest first."""

    items: list[MessageOut]
    next_cursor: str | None


class AskedOut(BaseModel):
    """The message that was asked for."""

    id: UUID
    fresh: bool


class ChannelTextOut(BaseModel):
    """What is said on one channel, with `{variable}` in it."""

    channel: str
    title: str
    text: str
    family_text: str | None
    fallback: bool


class VersionOut(BaseModel):
    """An approved text."""

    number: int
    since: str
    approval: str | None
    variables: dict[str, str]
    channels: list[ChannelTextOut]


class TemplateOut(BaseModel):
    """Who is told what on which event."""

    code: str
    label: str
    reference: str
    audience: Audience
    event: str
    legal: bool
    urgent: bool
    versions: list[VersionOut]


class TemplatesOut(BaseModel):
    """Every template."""

    items: list[TemplateOut]


class PreviewItemOut(BaseModel):
    """A text with values in it; `parts` is what a carrier bills, 0 where none does."""

    channel: str
    title: str
    text: str
    parts: int


class PreviewOut(BaseModel):
    """A template with values, per channel."""

    items: list[PreviewItemOut]


class ChannelOut(BaseModel):
    """A way to reach people; `off` says why it does not send here."""

    code: str
    label: str
    reference: str
    reaches: Reach
    quiet_hours: bool
    receipts: bool
    on: bool
    off: str | None


class ChannelsOut(BaseModel):
    """Every channel."""

    items: list[ChannelOut]


class ReceiptsOut(BaseModel):
    """How many receipts told something new."""

    taken: int
    new: int


class ListRequest(Request):
    """How much of what a village is to hand out or read out.

    Attributes:
        ids: only these; None: everything not yet confirmed, oldest first.
    """

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    ids: Annotated[list[UUID], Field(min_length=1, max_length=200)] | None = None


class AnnouncementOut(BaseModel):
    """A text to be read out."""

    id: UUID
    text: str
    since: AwareDatetime


class AnnouncementsOut(BaseModel):
    """What a village reads out, oldest first."""

    items: list[AnnouncementOut]


def _written(value: object) -> object:
    """A day as the contract writes it; pydantic would take a number for seconds since 1970."""
    if not (value is None or (isinstance(value, str) and "-" in value[1:])):
        msg = "write it as ISO 8601 says"
        raise ValueError(msg)
    return value


class ConfirmItem(Request):
    """What became of a letter or an announcement."""

    id: UUID
    delivered: bool
    reason: Annotated[str, Field(max_length=40, pattern=r"^[a-z_]*$")] = ""
    on: Annotated[
        date | None,
        BeforeValidator(_written),
        Field(description="day on which it was, or was tried; today where none is said"),
    ] = None


class ConfirmRequest(Request):
    """What a village has handed or read out."""

    items: Annotated[list[ConfirmItem], Field(min_length=1, max_length=500)]


class TestRequest(Request):
    """A sample of a template to one of the test recipients in the settings."""

    channel: Code
    to: Annotated[str, Field(min_length=1, max_length=100, pattern=NoNul)]
    version: Annotated[int, Field(ge=1, le=32767)] | None = None


class TestOut(BaseModel):
    """What the provider answered."""

    outcome: str
    provider: str
    reason: str


class EndpointOut(BaseModel):
    """A webhook endpoint and how it fares.

    Attributes:
        reason: why it stands so, a code.
        failures: calls that failed since the last success.
        waiting: events still to be posted.
        failed: events given up; a replay posts them again.
    """

    subscription_id: UUID
    client_id: str
    url: str
    kinds: list[str]
    programs: list[str]
    status: SubscriptionStatus
    reason: str
    failures: int
    waiting: int
    failed: int
    changed_at: AwareDatetime
    succeeded_at: AwareDatetime | None


class EndpointsOut(BaseModel):
    """Webhook endpoints."""

    items: list[EndpointOut]


class PostOut(BaseModel):
    """One event on its way to one endpoint."""

    event_id: UUID
    kind: str
    program: str
    version: int
    occurred_at: AwareDatetime
    status: str
    attempts: int
    http_status: int | None
    reason: str | None
    due_at: AwareDatetime
    ended_at: AwareDatetime | None


class PostsOut(BaseModel):
    """The log of an endpoint, newest event first."""

    items: list[PostOut]
    next_before: int | None


class ReplayRequest(Request):
    """What to post again: some events, or all since an instant."""

    event_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None
    since: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.event_ids is None) == (self.since is None):
            msg = "give event_ids or since"
            raise ValueError(msg)
        return self


class RedriveRequest(Request):
    """Failed deliveries of a channel: since when, and for which reason if not for any."""

    channel: Code
    since: AwareDatetime
    reason: Annotated[str, Field(min_length=1, max_length=80, pattern=NoNul)] | None = None


class QueuedOut(BaseModel):
    """How many events are to be posted, or messages to be sent, again."""

    queued: int


class FiguresOut(BaseModel):
    """Counts for an operator.

    Attributes:
        deliveries: messages that reached a provider or an inbox, by channel.
        states: deliveries by `channel.status`.
        parts: what providers bill, by channel.
        cost_fen: what that costs by the prices in the settings, by channel.
        failed: deliveries that failed, retried ones included.
        refused_dead: messages and deliveries refused because the person is recorded as dead.
    """

    contacts: int
    messages: dict[str, int]
    deliveries: dict[str, int]
    states: dict[str, int]
    parts: dict[str, int]
    cost_fen: dict[str, int]
    failed: int
    refused_dead: int

"""Letting people look: a person's messages with their log, shared inboxes, previews, figures."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.notify.domain import cursor as cursors
from services.notify.domain.delivery import Told, told
from services.notify.domain.languages import Language
from services.notify.domain.lint import SMS, sms_parts
from services.notify.domain.template import (
    LEGAL_LANE,
    ChannelText,
    Template,
    UnknownVersionError,
    Version,
    fill,
    read_values,
    sample_values,
    wrong_variables,
)
from services.notify.domain.words import SAMPLE_LABELS, ValueShapeError, contact_values
from services.notify.store import readings
from services.notify.store.readings import MessageRow, Place
from services.notify.usecases import rights
from services.notify.usecases.deps import Deps
from shared.contracts.events import MESSAGE_DELIVERED
from shared.contracts.vocabulary import Audience
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import MalformedError, NotFoundError, ProblemError

_ROOMY = frozenset({"inbox", "letter"})
"""Channels whose texts may be long."""


class UnknownTemplateError(NotFoundError):
    """No template has this code."""

    code = "unknown_template"
    title = "There is no such template"


class CursorNotValidError(ProblemError):
    """A cursor of another question."""

    code = "cursor_not_valid"
    title = "The cursor does not belong to this question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message as people see it.

    Attributes:
        status: over all its channels.
        title: of the inbox text, or of the first channel that has one.
        text: the same; a name that is only opened to send reads «您».
    """

    row: MessageRow
    label: str
    legal: bool
    status: Told
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some messages, newest first, and where the next ones begin."""

    items: list[Shown]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """A text with values in it.

    Attributes:
        channel: where it would be said, with `:family` for the helper's wording, `:en` for another language's.
        parts: what a carrier would bill; 0 where none does.
    """

    channel: str
    title: str
    text: str
    parts: int


async def search(tx: WriteTx, deps: Deps, caller: Caller, subject: UUID, *, cursor: str | None, limit: int) -> Page:
    """A person's messages with their delivery log. The look is written down before the answer leaves.

    Raises:
        ForbiddenError, NotFoundError: the caller may not look at this person.
    """
    await rights.check_person(tx, caller, subject)
    question = f"search {caller.client_id} {subject}"
    rows = await readings.list_of_subject(tx, subject, _place(deps, question, cursor), limit + 1)
    if caller.role == rights.CITIZEN:
        rows = await _seen(tx, deps, rows, limit)
    page = _page(deps, question, rows, limit)
    await _note(tx, deps, caller, {subject: len(page.items)})
    return page


async def _seen(tx: WriteTx, deps: Deps, rows: Sequence[MessageRow], limit: int) -> list[MessageRow]:
    """Note what a person looks at himself, and say of a legal notice that he has been told."""
    now = deps.clock.now()
    fresh = await readings.note_read(tx, [row.id for row in rows[:limit]], now)
    if told := [row for row in fresh if row["lane"] == LEGAL_LANE]:
        await deps.outbox.say_table(tx, MESSAGE_DELIVERED, _told(told, now))
    seen = {row["message_id"] for row in fresh}
    return [replace(row, read_at=now) if row.id in seen else row for row in rows]


def _told(rows: Sequence[asyncpg.Record], at: datetime) -> pa.Table:
    return pa.table(
        {
            **{name: pa.array([row[name].bytes for row in rows], pa.binary(16)) for name in ("subject", "message_id")},
            "about": pa.array([row["about"].bytes if row["about"] else None for row in rows], pa.binary(16)),
            "template": pa.array([row["template"] for row in rows], pa.string()),
            "channel": pa.array(["inbox"] * len(rows), pa.string()),
            "delivered_at": pa.array([at] * len(rows), pa.timestamp("us", "UTC")),
        }
    )


async def list_inbox(
    tx: WriteTx, deps: Deps, caller: Caller, audience: Audience, *, cursor: str | None, limit: int
) -> Page:
    """What the caller's office is told: his divisions', or what is addressed to his department, himself, his client.

    Whoever a message is about was looked at, and that is written down before the answer leaves.

    Raises:
        ForbiddenError: the caller has no such inbox.
    """
    inbox = rights.inbox_of(caller, audience)
    question = f"inbox {caller.client_id} {audience.value}"
    rows = await readings.list_of_audience(
        tx,
        audience.value,
        _place(deps, question, cursor),
        limit + 1,
        recipient=inbox.recipient,
        divisions=inbox.divisions,
        programs=inbox.programs,
    )
    page = _page(deps, question, rows, limit)
    await _note(tx, deps, caller, Counter(each.row.subject for each in page.items if each.row.subject))
    return page


async def _note(tx: WriteTx, deps: Deps, caller: Caller, found: Mapping[UUID, int]) -> None:
    if found:
        await readings.note_looks(tx, found, client_id=caller.client_id, who=caller.user, at=deps.clock.now())


def preview(
    deps: Deps, template: Template, number: int | None, variables: Mapping[str, object] | None
) -> list[Previewed]:
    """What a template says with these values, or with long samples.

    Raises:
        NotFoundError: no such version.
        MalformedError: values that do not fit; says which.
    """
    version = find_version(template, number)
    if variables is not None:
        check_variables(version, variables)
    short, spelt = ({**sample_values(version, room=room), **(variables or {})} for room in (False, True))
    labels = {**SAMPLE_LABELS, **deps.labels}
    shown = []
    for code, said in version.channels.items():
        for name, language, title, words in _wordings(code, said):
            texts = read_values(version, short, labels, language)
            long = read_values(version, spelt, labels, language, room=True) if code in _ROOMY else texts
            text = fill(words, long)
            parts = sms_parts(text) if code == SMS else 0
            shown.append(Previewed(channel=name, title=fill(title, texts), text=text, parts=parts))
    return shown


def _wordings(code: str, said: ChannelText) -> Iterator[tuple[str, Language, str, str]]:
    """Name, language, title and text of all that may be said on a channel."""
    yield code, Language.CHINESE, said.title, said.text
    if said.family_text is not None:
        yield f"{code}:family", Language.CHINESE, said.title, said.family_text
    for language, other in said.translations.items():
        yield f"{code}:{language}", language, other.title, other.text


def find_template(deps: Deps, code: str) -> Template:
    """A template by its code.

    Raises:
        UnknownTemplateError: there is none.
    """
    if code not in deps.templates:
        detail = "GET /v1/templates lists them."
        raise UnknownTemplateError(detail)
    return deps.templates[code]


def find_version(template: Template, number: int | None) -> Version:
    """A version by its number, the newest without one.

    Raises:
        NotFoundError: there is none.
    """
    if number is None:
        return template.versions[-1]
    try:
        return template.version(number)
    except UnknownVersionError as error:
        detail = "The template has no such version; GET /v1/templates lists them."
        raise NotFoundError(detail) from error


def check_variables(version: Version, variables: Mapping[str, object]) -> None:
    """Refuse values that do not fit their declared types.

    Raises:
        MalformedError: says which variables, never their values.
    """
    if wrong := wrong_variables(version, variables):
        errors = [
            {"pointer": f"/body/variables/{name}", "code": "variable", "detail": why}
            for name, why in sorted(wrong.items())
        ]
        raise MalformedError("See `errors` for the variables to mend.", extra={"errors": errors})


async def figures(tx: ReadTx) -> readings.Figures:
    """The counts an operator asks first."""
    return await readings.count_all(tx)


def _place(deps: Deps, question: str, cursor: str | None) -> Place:
    try:
        at, last = cursors.decode(deps.cursor_key, question, cursor) if cursor else cursors.NEWEST
    except cursors.CursorError as error:
        detail = "Leave the cursor out to begin at the newest message."
        raise CursorNotValidError(detail) from error
    return Place(created_at=at, id=last)


def _page(deps: Deps, question: str, rows: Sequence[MessageRow], limit: int) -> Page:
    items = [_show(deps, row) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = cursors.encode(deps.cursor_key, question, (last.created_at, last.id))
    return Page(items=items, next_cursor=following)


def _show(deps: Deps, row: MessageRow) -> Shown:
    template = deps.templates.get(row.template)
    title, text = _words(deps, template, row) if template else ("", "")
    newest = {each.channel: each.status for each in row.deliveries}
    looks = row.has_phone or row.audience not in {Audience.CITIZEN, Audience.FAMILY}
    by_inbox = row.in_inbox and (row.read_at is not None or (looks and row.lane > LEGAL_LANE))
    return Shown(
        row=row,
        label=template.label if template else row.template,
        legal=row.lane == LEGAL_LANE,
        status=told(refused=row.refused is not None, by_inbox=by_inbox, statuses=list(newest.values())),
        title=title,
        text=text,
    )


def _words(deps: Deps, template: Template, row: MessageRow) -> tuple[str, str]:
    try:
        version = template.version(row.version)
        said = version.channels.get("inbox") or next(iter(version.channels.values()))
        language, title, text = said.to_person(row.language)
        values = {**row.variables, **contact_values({})}
        short, spelt = (read_values(version, values, deps.labels, language, room=room) for room in (False, True))
    except (UnknownVersionError, ValueShapeError):
        # A text that cannot be made any more must not hide that it was sent.
        return "", ""
    return fill(title, short), fill(text, spelt)

"""Notices another service asks for: an officer's decision that must be told before it takes effect."""

from collections.abc import Mapping
from uuid import UUID

from services.notify.domain import drafts as rules
from services.notify.store import contacts
from services.notify.usecases.deps import Deps
from services.notify.usecases.hear import write
from services.notify.usecases.read import check_variables, find_template
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError

REQUEST = "request"


class NotOnRequestError(ConflictError):
    """A template that an event fills."""

    code = "not_on_request"
    title = "This template is filled by an event, not on request"


async def ask_message(
    tx: WriteTx, deps: Deps, *, template: str, subject: UUID, key: str, variables: Mapping[str, object]
) -> tuple[UUID, bool]:
    """Write one message; asked again with the same key it is the same message.

    Returns:
        Its id, and whether it is new.

    Raises:
        UnknownTemplateError: no such template.
        NotOnRequestError: it belongs to an event.
        MalformedError: variables that do not fit.
    """
    chosen = find_template(deps, template)
    if chosen.event != REQUEST:
        raise NotOnRequestError
    check_variables(chosen.version_on(deps.clock.today()), variables)
    draft = rules.one(template, key.encode(), variables, subject=subject)
    await contacts.lock_shard(tx, subject.hex[0])
    written = await write(tx, deps, [draft])
    return rules.message_id(template, key.encode()), written.fresh > 0

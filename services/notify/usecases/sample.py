"""A sample of a template to somebody who expects it: how a new text looks on a real phone."""

from uuid import UUID, uuid4

from services.notify.domain.delivery import Outgoing, Result
from services.notify.domain.plan import words_for
from services.notify.domain.template import fill, read_values, sample_values
from services.notify.domain.words import SAMPLE_LABELS
from services.notify.usecases.deps import Deps
from services.notify.usecases.read import find_template, find_version
from services.notify.usecases.send import ChannelOffError
from shared.kit.problems import ConflictError, ForbiddenError, NotFoundError


class NothingToSendError(ConflictError):
    """A channel by which nothing leaves for a test recipient."""

    code = "nothing_to_send"
    title = "Nothing leaves by this channel"


def make(deps: Deps, *, template: str, channel: str, to: str, number: int | None) -> Outgoing:
    """A sample with long values.

    Raises:
        UnknownTemplateError, NotFoundError: no such template, version, or text for the channel.
        ForbiddenError: `to` is not among the test recipients of the settings.
        ChannelOffError: the channel does not send here.
        NothingToSendError: it makes nothing before a village asks for it.
    """
    if to not in deps.test_recipients:
        detail = "Samples go to WUGAN_NOTIFY_TEST_RECIPIENTS only."
        raise ForbiddenError(detail)
    chosen = find_template(deps, template)
    version = find_version(chosen, number)
    if channel not in deps.senders:
        raise ChannelOffError
    said = words_for(version, channel, deps.ways)
    if said is None:
        detail = "The template has no words for this channel; see GET /v1/templates."
        raise NotFoundError(detail)
    if channel in deps.village_channels():
        detail = "A village prints or reads it out when it asks for its list; see POST /v1/templates/{code}:preview."
        raise NothingToSendError(detail)
    values = read_values(version, sample_values(version), SAMPLE_LABELS)
    return Outgoing(
        id=_fresh(),
        attempt=1,
        to=to,
        division=None,
        title=fill(said.title, values),
        text=fill(said.text, values),
        template=template,
        approval=version.approval,
        legal=False,
    )


def _fresh() -> UUID:
    # Each sample is its own: the provider must not take it for one sent before.
    return uuid4()


async def hand(deps: Deps, channel: str, outgoing: Outgoing) -> Result:
    """Hand a sample over; no transaction is open then."""
    (result,) = await deps.senders[channel]([outgoing])
    return result

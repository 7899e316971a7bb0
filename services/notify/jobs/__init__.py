"""Time in: the senders of messages, the posts to partners' systems, and the labels of programs."""

from collections.abc import Awaitable, Callable

from services.notify.jobs import labels, senders, webhooks
from services.notify.jobs.senders import Sender
from services.notify.jobs.webhooks import Hooks
from services.notify.usecases.deps import Deps

__all__ = ["Hooks", "Sender", "background"]


def background(deps: Deps) -> list[Callable[[], Awaitable[None]]]:
    """The loops of this process."""
    return [*labels.background(deps), *senders.background(deps), *webhooks.background(deps)]

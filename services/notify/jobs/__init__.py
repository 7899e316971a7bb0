"""Time in: the senders of messages, and the posts to partners' systems."""

from collections.abc import Awaitable, Callable

from services.notify.jobs import senders, webhooks
from services.notify.jobs.senders import Sender
from services.notify.jobs.webhooks import Hooks
from services.notify.usecases.deps import Deps

__all__ = ["Hooks", "Sender", "background"]


def background(deps: Deps) -> list[Callable[[], Awaitable[None]]]:
    """The loops of this process."""
    return [*senders.background(deps), *webhooks.background(deps)]

"""`make webhooks`: webhooks as a receiver got them from notify's own poster, for another language's library to verify."""

import asyncio
import json
import sys
from typing import Any
from uuid import UUID

from deploy.sandbox.app import SandboxOptions, create_app
from services.notify.domain.endpoints import Endpoint, Thin, body_of
from services.notify.domain.signing import new_secret
from services.notify.jobs import Hooks
from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit.clock import SystemClock
from tests.services.notify.hooks import poster_of, serving, with_poster
from tests.services.notify.world import make_deps

SECRETS = (new_secret(b"1" * 32), new_secret(b"2" * 24))
_BROKEN = 5


async def samples(count: int = 50) -> list[dict[str, Any]]:
    """Webhooks during a change of secrets: each must verify under either; the last ones are broken on purpose."""
    sandbox, now = create_app(SandboxOptions()), SystemClock().now()
    deps = with_poster(make_deps(None))  # type: ignore[arg-type]  # nothing is kept
    hooks = Hooks(deps, poster_of(deps))
    async with serving(sandbox) as url:
        endpoint = Endpoint(
            subscription_id=UUID(int=1), client_id="civil", url=f"{url}/hooks/civil", kinds=[], programs=[], secret=b"",
            previous_secret=None, previous_until=None, status=SubscriptionStatus.ACTIVE, reason="", version=1,
            failures=0, asked_at=now,
        )  # fmt: skip
        for number in range(count):
            event = Thin(
                event_id=UUID(int=number), kind="certificate.issued", program="高龄津贴" if number % 2 else "dibao",
                version=number, occurred_at=now,
            )  # fmt: skip
            answer = await hooks._call(endpoint, SECRETS, str(event.event_id), body_of(event))
            assert answer.taken, answer.reason
        await poster_of(deps).close()
        got = sandbox.state.keep.list_hooks("civil", count)
    good = count - _BROKEN
    return [
        {"headers": each["headers"], "body": each["body"] + ("" if place < good else " "), "good": place < good}
        for place, each in enumerate(got)
    ]


if __name__ == "__main__":
    json.dump({"secrets": SECRETS, "samples": asyncio.run(samples())}, sys.stdout)

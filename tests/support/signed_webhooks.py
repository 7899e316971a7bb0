"""`make webhooks`: signed webhooks as notify posts them, for another language's library to verify."""

import json
import sys
from uuid import UUID

from services.notify.domain.endpoints import Thin, body_of
from services.notify.domain.signing import new_secret, sign
from shared.kit.clock import SystemClock, wall

SECRETS = (new_secret(b"1" * 32), new_secret(b"2" * 24))


def samples(count: int = 50) -> list[dict[str, object]]:
    """Webhooks during a change of secrets: each must verify under either; the last ones are broken on purpose."""
    made = []
    for number in range(count):
        event = Thin(
            event_id=UUID(int=number), kind="certificate.issued", program="高龄津贴" if number % 2 else "dibao",
            version=number, occurred_at=SystemClock().now(),
        )  # fmt: skip
        body = body_of(event)
        headers = sign(SECRETS, message_id=str(event.event_id), timestamp=int(wall()), body=body)
        good = number < count - 5
        made.append({"headers": headers, "body": body.decode() + ("" if good else " "), "good": good})
    return made


if __name__ == "__main__":
    json.dump({"secrets": SECRETS, "samples": samples()}, sys.stdout)

"""What a message is before it is heard, without any server."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pyarrow as pa
import pytest

from shared.contracts.events import EVIDENCE_CORRECTED, MESSAGE_DELIVERED
from shared.kit import arrow
from shared.kit.bus import ConsumerState, Message, PoisonError
from shared.kit.bus.message import message_of

NOW = datetime(2023, 11, 1, tzinfo=UTC)


def test_a_message_of_the_release_before_lacks_an_added_column_and_no_other():
    before = replace(MESSAGE_DELIVERED, columns={k: v for k, v in MESSAGE_DELIVERED.columns.items() if k != "about"})
    row = {"subject": bytes(16), "message_id": bytes(16), "template": "t", "channel": "c", "delivered_at": NOW}
    body = arrow.encode(arrow.conform(before, pa.Table.from_pylist([row]), {}))
    headers = {
        "ce-specversion": "1.0", "ce-id": str(uuid4()), "ce-source": "/wugan/x", "ce-type": MESSAGE_DELIVERED.name,
        "ce-time": NOW.isoformat(),
    }  # fmt: skip
    message = message_of(MESSAGE_DELIVERED, f"{MESSAGE_DELIVERED.name}.0", headers, body)
    assert message.table().column("about").to_pylist() == [None]
    without = arrow.encode(arrow.conform(before, pa.Table.from_pylist([row]), {}).drop_columns(["channel"]))
    with pytest.raises(PoisonError, match="lacks columns"):
        message_of(MESSAGE_DELIVERED, f"{MESSAGE_DELIVERED.name}.0", headers, without)


def test_no_handler_may_count_on_one_shard_of_what_may_come_whole():
    heard = Message(id=uuid4(), event=EVIDENCE_CORRECTED, shard="4", attributes={}, happened_at=NOW, body=b"")
    with pytest.raises(TypeError, match="several shards"):
        heard.one_shard()
    divided = replace(heard, event=MESSAGE_DELIVERED)
    assert divided.one_shard() == "4"
    with pytest.raises(PoisonError):
        replace(divided, shard=None).one_shard()


@pytest.mark.parametrize(
    ("filters", "subject", "hears"),
    [
        ((), "grid.x.v1", True),
        (("grid.x.v1",), "grid.x.v1", True),
        (("grid.x.v1",), "grid.x.v1.0", False),
        (("grid.x.v1.*",), "grid.x.v1.0", True),
        (("grid.x.v1.*",), "grid.x.v1", False),
        (("grid.*.v1",), "grid.x.v2", False),
        (("grid.>",), "grid.x.v1", True),
        (("grid.>",), "grid", False),
        (("grid.>",), "notify.x", False),
        ((">",), "grid", True),
        (("grid.y", "grid.x"), "grid.x", True),
    ],
)
def test_a_consumer_hears_what_its_filters_name(filters, subject, hears):
    state = ConsumerState(name="c", filters=filters, waiting=0, created=NOW, from_start=True)
    assert state.hears(subject) is hears

"""Labels of programs: as recognition tells them, remembered over a restart, never a code in a text."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest

from deploy.sandbox.app import SandboxOptions, create_app
from services.notify import app
from services.notify.jobs import labels as job
from services.notify.usecases import labels
from shared.contracts.events import CONTACTS_CHANGED
from shared.kit.http import Peers
from shared.kit.problems import UnavailableError
from tests.services.notify.world import contacts, drain, hear, make_deps, notice, sms_settings, subject, table_message

pytestmark = pytest.mark.db


async def test_what_recognition_tells_stands_in_texts_and_outlasts_its_silence_and_a_restart(database):
    said: list[Mapping[str, str]] = [{"new_allowance": "新津贴"}]

    async def ask() -> Mapping[str, str]:
        if not said:
            raise UnavailableError
        return said.pop()

    sandbox = create_app(SandboxOptions())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        deps = replace(make_deps(database, client=client, sms=sms_settings()), ask_labels=ask)
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(each), "phone") for each in (1, 2, 3)])))
        await hear(deps, notice(1, subject(1), programs=["new_allowance"]))
        await drain(deps)
        assert await job.look(deps)
        assert not await job.look(deps)
        await hear(deps, notice(2, subject(2), programs=["new_allowance"]))
        await drain(deps)
        again = replace(deps, labels={})
        async with database.read() as tx:
            await labels.remember(tx, again)
        await hear(again, notice(3, subject(3), programs=["new_allowance"]))
        await drain(again)
    texts = [row["text"] for row in sandbox.state.keep.list_sms(to=None, limit=9)]
    assert not [text for text in texts if "new_allowance" in text]
    assert sorted("新津贴" in text for text in texts) == [False, True, True]
    assert sorted("一项待遇" in text for text in texts) == [False, False, True]


@pytest.mark.parametrize(
    "answer", [httpx.Response(403), httpx.Response(404), httpx.Response(200, json={"items": [{}]})]
)
async def test_no_answer_and_a_strange_one_leave_what_is_known(database, answer):
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as client:
        settings = SimpleNamespace(peer_url=lambda name: f"http://{name}")
        platform = SimpleNamespace(peers=Peers(client, None), settings=settings)
        deps = replace(make_deps(database), labels={"a": "甲"}, ask_labels=lambda: app.ask_labels(platform))  # type: ignore[arg-type]
        assert not await job.look(deps)
    assert deps.labels == {"a": "甲"}

"""The story of a city: files in, people certified, the partner answered, neighbours knocking, nothing lost."""

import asyncio
import io
import json
import re
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

import httpx
import polars as pl
import pytest
from rich.console import Console

from deploy.backup.place import Place
from deploy.backup.restoring import restore
from deploy.demo import way
from deploy.demo.city.manifest import TRUTH
from deploy.demo.run import SERVICES
from deploy.monitoring.status import show
from tests.chaos.digest import differences
from tests.flows import drill
from tests.flows.privacy import Secrets

pytestmark = [pytest.mark.flow, pytest.mark.timeout(480)]
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_newcomer_sees_bars_and_a_screen_and_it_stays_up(city):
    for stage in ("31 rosters", "files of 26 departments", "people certified", "asking as a partner would"):
        assert stage in city.run.said
    assert "rows/s" in city.run.said
    assert "payments stopped: 0" in city.run.said
    found = re.search(r"gateway\s+(http://127\.0\.0\.1:\d+)", city.run.said)
    assert found
    assert found[1] == city.run.client.gateway
    assert httpx.get(f"{found[1]}/api/recognition/livez", timeout=10).status_code == 200


def test_ctrl_c_ends_it_all(city, ended):
    assert ended == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{city.run.client.gateway}/api/recognition/livez", timeout=10)


def test_every_row_is_accounted_for_as_the_city_knows_it(city):
    ledger = pl.read_parquet(city.run.city / "truth" / "ledger.parquet")
    differing = {}
    for path, batch in city.result.batches.items():
        said = Counter(batch["quarantine_reasons"])
        said.update({name: batch[name] for name in ("accepted", "duplicate", "out_of_window") if batch[name]})
        known: Counter[str] = Counter()
        for row in ledger.filter(pl.col("path") == path).iter_rows(named=True):
            known[row["reason"] or row["verdict"]] += row["rows"]
        if said != +known:
            differing[path] = (dict(said - known), dict(known - said))
        assert batch["rows"] == batch["accepted"] + batch["duplicate"] + batch["out_of_window"] + batch["quarantined"]
    assert not differing


def test_people_are_certified_by_data_and_by_neighbours(city):
    people = city.result.figures["recognition"]["certified_people"]
    assert people["data"] > 0.15 * city.run.manifest.people
    assert people["home"] == city.result.visited["seen_alive"] > 0


def test_whoever_was_certified_was_alive_or_in_no_register(city):
    accuracy = city.result.accuracy
    assert accuracy.recognised_dead <= accuracy.dead_unregistered
    assert accuracy.recognised_alive / accuracy.recognised > 0.98
    assert 1 - accuracy.recognised_dead_at_as_of / accuracy.recognised >= 0.9995
    assert city.result.figures["recognition"]["payments_stopped"] == 0


def test_every_registered_death_is_under_review(city):
    accuracy = city.result.accuracy
    assert accuracy.dead_registered > 0
    assert accuracy.dead_registered_under_review == accuracy.dead_registered


def test_everybody_has_an_answer_and_absence_never_reads_as_death(city):
    accuracy = city.result.accuracy
    assert accuracy.unknown == 0
    assert accuracy.recognised + accuracy.not_yet + accuracy.under_review == accuracy.people == city.run.manifest.people


def test_the_unmatched_have_tasks_and_the_suspected_have_cases(city):
    grid, accuracy = city.result.figures["grid"], city.result.accuracy
    assert accuracy.not_yet <= grid["tasks_open"]["unmatched"] <= accuracy.not_yet + accuracy.under_review
    assert grid["cases_open"] >= accuracy.under_review > 0


def test_each_result_became_a_message_and_the_gateway_has_what_it_was_sent(city):
    notify = city.result.figures["notify"]
    assert sum(notify["messages"].values()) >= city.result.accuracy.recognised + city.result.accuracy.not_yet
    assert notify["deliveries"]["sms"] > 0
    assert notify["failed"] == 0


async def test_the_same_files_again_change_nothing(city):
    client, run = city.run.client, city.run
    services = ("ingest", "scoring", "recognition", "grid", "notify")
    before = [await client.call("GET", name, "/v1/figures") for name in services]
    for file in run.manifest.of("roster"):
        said = await client.upload("ingest", f"/v1/programs/{file.code}/roster", run.city / file.path, mode="full")
        assert (said["repeated"], said["accepted"], said["new"], said["reasons"]) == (True, file.rows, file.rows, {})
    sent = [file for file in run.manifest.of("source") if file.path in city.result.batches]
    assert len(sent) == len(city.result.batches)
    for file in sent:
        said = await client.upload("ingest", f"/v1/sources/{file.code}/batches", run.city / file.path)
        assert said["repeated"]
        assert said["accepted"] == city.result.batches[file.path]["accepted"]
    await client.quiet(services, told=lambda _left: None)
    assert [await client.call("GET", name, "/v1/figures") for name in services] == before


def test_no_log_line_of_the_whole_flow_names_a_person(city, disturbed):
    """Nor one written while services were killed; whatever form a number had in a file, and however a line writes it."""
    secrets = Secrets.of(city.run.city)
    logs = [path for folder in (city.logs, disturbed.logs) for path in folder.iterdir() if path.suffix == ".log"]
    assert len(logs) >= 12
    for path in logs:
        assert secrets.told_by(path.read_text(encoding="utf-8", errors="replace")) == set(), path


def test_the_look_into_the_logs_finds_every_form_of_a_secret():
    secrets = Secrets(
        ids=frozenset({"34160219490101123"}), old_ids=frozenset({"341602490101123"}), phones=frozenset({"13812345678"})
    )
    number = "341602194901011237"
    for line in (number, f'{{"row":"x{number}y"}}', "341602 19490101 1237", "３４１６０２１９４９０１０１１２３７", f"/v1/{number[:17]}x",
                 "341602490101123", '"+8613812345678"', "138-1234-5678", "张建国", r'{"name":"\u5f20\u5efa\u56fd"}',
                 "?name=%E5%BC%A0", "110105199003074555"):  # fmt: skip
        assert secrets.told_by(f"2026-11-27 {line} ok"), line
    innocent = '{"batch_no":17179869184,"ms":13.8,"trace":"4bf92f3577b34da6a3ce929d0e0e4736","evidence_id":94489280530}'
    assert secrets.told_by(innocent) == set()


async def test_services_refuse_who_may_not_ask(city):
    async with httpx.AsyncClient() as stranger:
        for name, path in {"ingest": "/v1/sources", "scoring": "/v1/rule-sets", "grid": "/v1/tasks",
                           "recognition": "/v1/figures", "notify": "/v1/templates"}.items():  # fmt: skip
            answer = await stranger.get(f"{city.run.client.gateway}/api/{name}{path}")
            assert answer.status_code == 401
            assert answer.headers["content-type"] == "application/problem+json"
            assert json.loads(answer.text)["code"] == "unauthorized"


def test_services_killed_in_the_middle_leave_no_trace(city, disturbed):
    """kill -9 of each of the five services, each in another stage; the end is that of an undisturbed run."""
    assert differences(city.tables, disturbed.tables) == []
    ours, theirs = city.result, disturbed.result
    assert theirs.accuracy == ours.accuracy
    assert theirs.visited == ours.visited
    strip = {"batch_id", "received_at", "completed_at", "repeated", "batch_no"}
    for path, batch in ours.batches.items():
        other = theirs.batches[path]
        assert {k: v for k, v in batch.items() if k not in strip} == {k: v for k, v in other.items() if k not in strip}
    assert disturbed.months == city.months
    assert _steady(theirs) == _steady(ours)
    # Whoever was certified before his death record arrived was rightly told so; how many are depends on when each record
    # of such a person was weighed, killed or not. So does who is told anew because it holds for longer now; the same is
    # told once (below).
    for run in (city, disturbed):
        people = sum(run.result.figures["recognition"]["certified_people"].values())
        assert people <= run.certified <= people + run.result.accuracy.under_review


def test_nobody_is_told_the_same_twice_whatever_is_killed(city, disturbed):
    assert city.twice == []
    assert disturbed.twice == []


def _steady(result):
    """Figures of all services without what chance may change: passes superseded on the way, questions asked again."""
    figures = result.figures
    return {
        **{name: figures[name] for name in ("ingest", "scoring", "grid")},
        "recognition": {
            name: n for name, n in figures["recognition"].items() if name not in {"certificates", "checks"}
        },
        "messages": {name: n for name, n in figures["notify"]["messages"].items() if name != "certified"},
    }


async def test_a_rule_set_is_tried_on_the_people_of_each_county(city):
    """Scoring asks grid who lives there; nothing is written or said."""
    caller, people = city.run.client, 0
    before = await caller.call("GET", "scoring", "/v1/figures")
    for county in ("341602", "341621", "341622", "341623"):
        body = {"division": county, "rule_set": "standard@1", "shadow": True}
        done = await caller.call("POST", "scoring", "/v1/reassessments", body=body)
        while done["status"] in {"queued", "running"}:
            await asyncio.sleep(0.05)
            done = await caller.call("GET", "scoring", f"/v1/reassessments/{done['reassessment_id']}")
        assert (done["status"], done["shards_finished"]) == ("succeeded", 16)
        assert 0 < sum(done["moves"].values()) == done["people"] < before["assessments"]
        people += done["people"]
    assert 0.95 * before["assessments"] < people <= before["assessments"]
    assert await caller.call("GET", "scoring", "/v1/figures") == before


async def test_wugan_accuracy_asks_the_running_platform_about_everybody(city):
    said = await _wugan(city, "accuracy", "--city", str(city.run.city))
    accuracy = city.result.accuracy
    found = re.search(r"certified, and alive +│ +([\d,]+)", said)
    assert found is not None, said
    # The story of one trace has somebody certified, before this one or after it.
    assert 0 <= int(found[1].replace(",", "")) - accuracy.recognised_alive <= 1
    assert re.search(rf"│ dead +│ {accuracy.dead:,},", said), said


async def test_wugan_audit_proves_the_log_of_looks_whole(city):
    said = await _wugan(city, "audit", "verify")
    found = re.search(r"^intact: (\d+) rows under (\d+) seals, (\d+) not sealed yet$", said, re.MULTILINE)
    assert found is not None, said
    assert sum(int(number) for number in (found[1], found[3])) >= city.run.manifest.people


async def _wugan(city, *words: str) -> str:
    """What a command of `wugan` says of the city's stack."""
    stack = city.run.stack
    place = ("--data", str(stack.folder.root), "--gateway", stack.urls["gateway"])
    shell = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.cli", *words, *place, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    out, err = await shell.communicate()
    assert shell.returncode == 0, err.decode() + out.decode()
    return out.decode()


async def test_wugan_status_shows_the_whole_city_on_one_screen(city):
    console = Console(width=200, record=True, file=io.StringIO())
    folder, gateway = city.run.stack.folder.root, city.run.stack.urls["gateway"]
    assert await asyncio.to_thread(show, folder, gateway, "demo-operator", console=console) == 0
    text = console.export_text()
    assert "nothing is wrong" in text
    assert f"people {city.run.manifest.people:,}" in text
    assert "batch.completed" in text
    assert all(name in text for name in SERVICES)


async def test_the_restore_drill_answers_as_before_and_sends_nothing_to_anybody(city, tmp_path, monkeypatch):
    # Where the original sends its texts: a drill must not, whatever its environment names.
    monkeypatch.setenv("WUGAN_NOTIFY_SMS_URL", f"{city.run.stack.urls['sandbox']}/sms/1")
    monkeypatch.setenv("WUGAN_NOTIFY_SMS_SANDBOX", "true")
    data, place = city.run.stack.folder.root, Place(tmp_path / "backups")
    people = pl.read_parquet(city.run.city / TRUTH).with_columns(pl.col("programs").list.first().alias("program"))
    async with drill.following(data, place):
        # Asked after the base backup: that it was asked is logged, and must come back from the archive.
        await drill.Known.ask(city.run.client, people[:50])
        before = await drill.Known.ask(city.run.client, people)
    texts = drill.sent(data)
    elsewhere = drill.another_machine(data, tmp_path / "elsewhere")
    done = await restore(elsewhere, place)
    assert done.replayed > 0
    async with drill.running(elsewhere) as (caller, stack):
        assert "sandbox" not in stack.children
        streams = await drill.told_and_held(stack)
        assert all(told == held > 0 for told, held in streams.values()), streams
        after = await drill.Known.ask(caller, people)
        checks = [known.figures["recognition"].pop("checks") for known in (before, after)]
        assert checks[1] - checks[0] == len(people)
        for known in (before, after):
            # What waits for officers is counted when recognition starts; in the morning nothing did.
            known.figures["notify"]["messages"].pop("work_waiting", None)
            known.figures["notify"]["deliveries"].pop("inbox")
        assert after.figures == before.figures
        assert after.answers.equals(before.answers)
        assert drill.sent(data) == texts
        file = next(iter(city.run.manifest.of("roster")))
        path = city.run.city / file.path
        assert (await caller.upload("ingest", f"/v1/programs/{file.code}/roster", path, mode="full"))["repeated"]


async def test_one_trace_leads_from_an_uploaded_row_to_a_partners_webhook(city, tmp_path):
    found = await way.follow(city.run.stack, city.run.client, city.run.city / TRUTH, tmp_path)
    await city.run.client.quiet(SERVICES, told=lambda _left: None)
    by_id = {step.span_id: step for step in found.steps}
    path, step = [], next(each for each in found.steps if each.name == "post webhook")
    while True:
        path.append((step.service, step.name.partition(" ")[0]))
        if step.parent_id not in by_id:
            break
        step = by_id[step.parent_id]
    assert path[::-1] == [
        ("ingest", "POST"), ("ingest", "publish"), ("scoring", "handle"), ("scoring", "sweep"),
        ("scoring", "publish"), ("recognition", "handle"), ("recognition", "publish"), ("recognition", "handle"),
        ("recognition", "publish"), ("notify", "handle"), ("notify", "post"),
    ]  # fmt: skip
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(found.table())
    assert found.trace_id in console.export_text()


async def _printed(name: str, here: dict[str, str]) -> str:
    """What the shell puts into a variable by the README's own line, with the places of this run for those of the demo."""
    line = re.search(rf"^\$ {name}=\$\((.+?)\)", README, re.MULTILINE)
    assert line is not None
    command = line[1]
    for theirs, ours in here.items():
        assert theirs in command
        command = command.replace(theirs, ours)
    shell = await asyncio.create_subprocess_shell(command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    out, err = await shell.communicate()
    assert (shell.returncode, err) == (0, b""), err.decode()
    return out.decode().strip()


async def test_the_first_call_of_the_readme_is_answered(city):
    stack, gateway = city.run.stack, city.run.stack.urls["gateway"]
    said = re.findall(r'-H "([A-Za-z-]+): ([^"$]+)"', README)
    path = re.search(r"http://127.0.0.1:8000(/api\S+)", README)
    program = re.search(r'\\"program\\": \\"(\w+)\\"', README)
    assert path is not None
    assert program is not None
    assert len(said) == 4
    wugan = f"{sys.executable} -m deploy.cli"
    bearer, someone = await asyncio.gather(
        _printed("TOKEN", {".venv/bin/wugan": wugan, "var/demo/stack": f"{stack.folder.root} --gateway {gateway}"}),
        _printed("ID", {".venv/bin/wugan": wugan, "var/demo/city-0.01-2023": str(city.run.city)}),
    )
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            gateway + path[1],
            json={"program": program[1], "citizen_id": someone},
            headers={**dict(said), "Authorization": f"Bearer {bearer}"},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["answer"] in {"recognised", "not_yet", "under_review"}

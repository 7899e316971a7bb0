"""Villages, towns, the agency and the officers of departments: cases, proposals, stops, letters."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from deploy.demo.client import RefusedError
from tests.year.world import Person, World

_BY = {"assigned": "village", "in_verification": "village", "village_finding": "town", "township_review": "agency"}
_AT_ONCE = 4
_SECOND_LOOK = 20
"""One case of so many goes to the door a second time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is found about a case, and how it is to be concluded."""

    finding: str
    event_on: date | None = None
    conclusion: str


_NO_DUPLICATE = Said(finding="no_duplicate", conclusion="unfounded")


async def work_cases(world: World) -> None:
    """Take every open case as far as it goes: village, town, agency, each by another person."""
    for _ in _BY:
        gate, cases = asyncio.Semaphore(_AT_ONCE), await _open_cases(world)

        async def one(case: dict[str, Any], gate: asyncio.Semaphore = gate) -> None:
            async with gate:
                await _take(world, case)

        await asyncio.gather(*(one(case) for case in cases if case["state"] in _BY))


async def _open_cases(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        path = "/v1/cases?open_only=true&limit=200" + (f"&cursor={cursor}" if cursor else "")
        page = await world.run.client.call("GET", "grid", path)
        found += page["items"]
        cursor = page["next_cursor"]
    return found


async def _take(world: World, case: dict[str, Any]) -> None:
    said = judge(world.people[UUID(case["subject"])], case, world.today)
    who, path = world.callers[_BY[case["state"]]], f"/v1/cases/{case['case_id']}"
    day = said.event_on.isoformat() if said.event_on else None
    if case["state"] == "village_finding":
        await who.call("POST", "grid", f"{path}/review", body={"verdict": "agreed", "not_family": True})
    elif case["state"] == "township_review":
        again = UUID(case["case_id"]).int % _SECOND_LOOK == 0 and case["rounds"] == 1
        conclusion = "inconclusive" if again else said.conclusion
        concluded = {"conclusion": conclusion, "not_family": True}
        await who.call("POST", "grid", f"{path}/conclusion", body=concluded)
        world.counts[f"case {conclusion}"] += 1
    else:
        paper = {"kind": "paper", "reference": f"village-{case['case_id'][:8]}", "day": world.today.isoformat()}
        body = {"finding": said.finding, "event_on": day, "basis": [paper], "not_family": True}
        try:
            await who.call("POST", "grid", f"{path}/finding", body=body)
        except RefusedError as error:
            if "somebody else has to go" not in str(error):
                raise


def judge(person: Person, case: dict[str, Any], today: date) -> Said:
    """What careful people find out about this suspicion by today."""
    kind = case["kind"]
    if kind == "suspected_incarceration":
        return _about_custody(person, today)
    if kind == "duplicate_receipt":
        return Said(finding="duplicate", event_on=today, conclusion="confirmed") if person.double else _NO_DUPLICATE
    if person.dead(today):
        # Who was only missed has a case of his death then.
        conclusion = "inconclusive" if kind == "suspected_missing" else "confirmed"
        return Said(finding="dead", event_on=person.died_on, conclusion=conclusion)
    if kind == "suspected_missing":
        if person.being("missing", today):
            return Said(finding="missing", event_on=person.since_on or today, conclusion="confirmed")
        return Said(finding="present", conclusion="unfounded")
    return _about_death(person, case, today)


def _about_custody(person: Person, today: date) -> Said:
    if person.being("in_custody", today) or person.being("detained", today):
        return Said(finding="in_custody", event_on=person.since_on or today, conclusion="confirmed")
    return Said(finding="not_in_custody", conclusion="unfounded")


def _about_death(person: Person, case: dict[str, Any], today: date) -> Said:
    """Of somebody who lives; a court may have declared dead who is only missing."""
    if not person.being("missing", today):
        return Said(finding="alive", conclusion="false_death")
    if person.declared_dead and case["event_on"]:
        return Said(finding="dead", event_on=date.fromisoformat(case["event_on"]), conclusion="confirmed")
    return Said(finding="unclear", conclusion="inconclusive")


async def work_proposals(world: World) -> None:
    """One officer decides, another confirms; what was announced is carried out when its time has come."""
    for proposal in await _proposals(world, "open"):
        path = f"/v1/proposals/{proposal['proposal_id']}:decide"
        await world.callers["officer"].call("POST", "recognition", path, body={"grounds": "案卷核实无误，拟停发"})
    for proposal in await _proposals(world, "decided"):
        await _confirm(world, proposal["proposal_id"])
    for decision_id, decision in list(world.decisions.items()):
        if date.fromisoformat(decision["notice_until"]) < world.today:
            await _carry_out(world, decision_id)


async def _confirm(world: World, proposal_id: str) -> None:
    """Confirm a stop; one of a benefit that is being stopped for another reason waits, and so does one without ground."""
    try:
        said = await world.callers["second"].call("POST", "recognition", f"/v1/proposals/{proposal_id}:confirm")
    except RefusedError as error:
        if not any(each in str(error) for each in ("is not possible from there", "Reject the proposal")):
            raise
        return
    if said["state"] == "notice":
        world.decisions[said["decision_id"]] = said
    world.counts[f"decision {said['reason']}"] += 1


async def _proposals(world: World, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        path = f"/v1/proposals?state={state}&limit=200" + (f"&after={after}" if after else "")
        page = await world.callers["officer"].call("GET", "recognition", path)
        found += page["items"]
        after = page["next"]
    return found


async def _carry_out(world: World, decision_id: str) -> None:
    """Carry a stop out; one whose notice has not been tried often enough waits, one that was cleared is given up."""
    path, officer = f"/v1/decisions/{decision_id}", world.callers["officer"]
    state = (await officer.call("GET", "recognition", path))["state"]
    if state == "notice":
        try:
            state = (await officer.call("POST", "recognition", f"{path}:carry-out"))["state"]
        except RefusedError as error:
            if "withdraw the decision" in str(error):
                state = (await officer.call("POST", "recognition", f"{path}:withdraw"))["state"]
            elif "delivered or tried" not in str(error):
                raise
    if state != "notice":
        world.counts[f"stop {state}"] += 1
        del world.decisions[decision_id]


async def hand_out_letters(world: World) -> None:
    """Each village hands its letters out and reads out who should come; of one of fifty it says that he was not met."""
    waiting: dict[tuple[str, str], list[UUID]] = defaultdict(list)
    for row in await world.rows(
        "SELECT c.division, d.channel, d.message_id FROM notify.delivery d JOIN notify.contact c USING (subject) "
        "WHERE d.channel IN ('letter', 'loudspeaker') AND d.status = 'handed' AND c.division IS NOT NULL ORDER BY 3"
    ):
        what = "letters" if row["channel"] == "letter" else "announcements"
        waiting[row["division"], what].append(row["message_id"])
    village = world.callers["village"]
    for (division, what), ids in waiting.items():
        for start in range(0, len(ids), 200):
            part = ids[start : start + 200]
            items = [{"id": str(each), "delivered": each.int % 50 != 0, "reason": "not_met"} for each in part]
            await village.call("POST", "notify", f"/v1/villages/{division}/{what}:confirm", body={"items": items})
            world.counts[f"{what} brought"] += len(part)


async def document_unreachable(world: World, needed: int = 3) -> None:
    """The village writes down whom nobody met on enough days; it certifies nobody."""
    rows = await world.rows(
        """
        SELECT t.task_id FROM grid.tasks t JOIN grid.visits v ON v.subject = t.subject
            AND v.result IN ('absent_informed_by', 'refused') AND v.visited_at >= coalesce(t.reopened_at, t.created_at)
        WHERE t.state <> 'closed' GROUP BY t.task_id
        HAVING count(DISTINCT (v.visited_at AT TIME ZONE 'Asia/Shanghai')::date) >= $1
        """,
        needed,
    )
    for row in rows:
        await world.callers["village"].call("POST", "grid", f"/v1/tasks/{row['task_id']}/unreachable")
        world.counts["documented as unreachable"] += 1

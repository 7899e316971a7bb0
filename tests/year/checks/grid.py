"""Nobody is left uncertified, and nobody is stopped unseen."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import polars as pl

from deploy.demo import truth
from shared.kit.clock import SHANGHAI
from tests.year.checks import Check
from tests.year.world import World

_TASKS_A_MEMBER = 30
_WARNING_DAYS = 90
_LOOKED_AT = "unmatched at the end of the warning period, at every step"
# Whose benefit was stopped for what a case confirmed is that case, and nobody is to knock for him: unless a run had looked
# for him by then, or should have. Whom a case kept from the last run is looked for by the next one.
_UNMATCHED = """
SELECT p.subject, (SELECT count(*) FROM grid.tasks t WHERE t.subject = p.subject AND t.reason = 'unmatched'
    AND t.due_on = p.due_on) AS tasks
FROM (SELECT e.subject, coalesce(min(d.due_on), min(e.due_on)) AS due_on FROM recognition.enrolment e
    JOIN unnest($1::uuid[], $2::text[]) AS said(subject, program) USING (subject, program)
    LEFT JOIN recognition.due d ON d.subject = e.subject AND d.cleared_on IS NULL
    WHERE (d.subject IS NOT NULL OR NOT EXISTS (
        SELECT FROM grid.cases c WHERE c.subject = e.subject AND c.opened_at < $4 AND c.concluded_at > $4
    ) AND NOT EXISTS (
        SELECT FROM recognition.decision s JOIN recognition.proposal o USING (proposal_id)
        JOIN grid.cases c ON c.case_id = o.case_id
        WHERE s.decision_id = e.decision_id AND s.state = 'effective' AND c.state = 'concluded'
            AND c.conclusion IN ('confirmed', 'confirmed_no_overpayment') AND (
                EXISTS (SELECT FROM recognition.certificate k WHERE k.subject = e.subject)
                OR NOT EXISTS (SELECT FROM recognition.certification_run r
                    WHERE r.run_on >= e.due_on - $3::int AND r.requested_at < c.opened_at))))
    GROUP BY e.subject) p
"""
# Whom the query before leaves to the next run.
_KEPT = """
SELECT count(DISTINCT e.subject) FROM recognition.enrolment e
JOIN unnest($1::uuid[], $2::text[]) AS said(subject, program) USING (subject, program)
WHERE NOT EXISTS (SELECT FROM recognition.due d WHERE d.subject = e.subject AND d.cleared_on IS NULL)
    AND EXISTS (SELECT FROM grid.cases c WHERE c.subject = e.subject AND c.opened_at < $3 AND c.concluded_at > $3)
"""
# A case that was over before the end ran out, or a knock for another end, says nothing of it, unless the case was
# inconclusive and people go on looking. A benefit that was ended since another one takes its place asks for no certificate.
_COVERED = """
SELECT p.subject,
    EXISTS (SELECT FROM grid.cases c WHERE c.subject = p.subject AND (c.state <> 'concluded'
        OR c.conclusion IN ('confirmed', 'confirmed_no_overpayment')
        OR c.conclusion = 'inconclusive' AND EXISTS (
            SELECT FROM recognition.standing s WHERE s.subject = c.subject AND s.under_review)
        OR (c.concluded_at AT TIME ZONE 'Asia/Shanghai')::date >= p.due_on)) AS with_case,
    EXISTS (SELECT FROM grid.tasks t WHERE t.subject = p.subject AND t.reason = 'unmatched' AND t.due_on = p.due_on
        AND t.outcome = 'unreachable') AS unreachable
FROM (SELECT said.subject, coalesce(d.due_on, e.due_on) AS due_on
    FROM unnest($1::uuid[], $2::text[]) AS said(subject, program)
    LEFT JOIN recognition.enrolment e USING (subject, program)
    LEFT JOIN recognition.due d ON d.subject = said.subject AND d.cleared_on IS NULL
    WHERE NOT EXISTS (SELECT FROM recognition.decision s WHERE s.decision_id = e.decision_id AND s.state = 'effective'
        AND s.effect = 'terminate' AND s.reason IN ('duplicate_receipt', 'other_pension'))) p
"""


async def step(world: World) -> list[Check]:
    """Whoever nobody has seen by the end of his warning period is one task, no more and no less."""
    ended = await world.rows(
        "SELECT subject, program FROM recognition.enrolment WHERE listed AND due_on <= $1", world.today
    )
    said = await _answers(world, [(row["subject"], row["program"]) for row in ended])
    unseen = [pair for pair, answer in said.items() if answer == "not_yet"]
    last_run = await world.database.fetchval("SELECT max(requested_at) FROM recognition.certification_run")
    ran_out = await world.rows(_UNMATCHED, *_columns(unseen), _WARNING_DAYS, last_run)
    kept = await world.database.fetchval(_KEPT, *_columns(unseen), last_run)
    world.counts[_LOOKED_AT] += len(ran_out)
    wrong = [row for row in ran_out if row["tasks"] != 1]
    lost = await world.database.fetchval(
        "SELECT count(*) FROM recognition.due d WHERE d.cleared_on IS NULL AND NOT EXISTS (SELECT FROM grid.tasks t "
        "WHERE t.subject = d.subject AND t.reason = 'unmatched' AND t.due_on = d.due_on)"
    )
    twice = await world.database.fetchval(
        "SELECT count(*) FROM (SELECT FROM grid.tasks WHERE reason = 'unmatched' GROUP BY subject, due_on "
        "HAVING count(*) > 1) doubled"
    )
    fullest = await world.database.fetchval(
        "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM grid.tasks WHERE state <> 'closed' "
        "GROUP BY worker_id) loads"
    )
    return [
        Check(
            name="whoever is unmatched at the end of his warning period has exactly one open or concluded task",
            good=not wrong,
            found=f"{len(ran_out):,} people, {len(wrong)} without or with more{_some({row['subject'] for row in wrong})}; "
            f"{kept} whom a case kept from the last run are left to the next",
        ),
        Check(
            name="each person recognition looks for is one task, and nobody is one twice for one end",
            good=lost == 0 and twice == 0,
            found=f"{lost} lost, {twice} doubled",
        ),
        Check(
            name=f"no member has more than {_TASKS_A_MEMBER} open tasks",
            good=fullest <= _TASKS_A_MEMBER,
            found=f"the fullest has {fullest}",
        ),
    ]


async def end(world: World) -> list[Check]:
    """Everybody has an answer, and every case had two people."""
    looked_at = world.counts[_LOOKED_AT]
    return [
        Check(
            name="somebody was unmatched at the end of his warning period", good=looked_at > 0, found=f"{looked_at:,}"
        ),
        await _coverage(world),
        await _nothing_late(world),
        *await _two_people(world),
        await _rightly_stopped(world),
    ]


async def _answers(world: World, pairs: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], str]:
    """What these programs hear of these people, asked as partners would."""
    rows = [(str(subject), world.people[subject].citizen_id, program) for subject, program in pairs]
    asked = pl.DataFrame(rows, schema=dict.fromkeys(("subject", "citizen_id", "program"), pl.String), orient="row")
    found: dict[tuple[UUID, str], str] = {}
    for (program,), part in asked.group_by("program"):
        said = await truth.ask(world.run.client, part, lambda _n: None)
        found |= {(UUID(subject), str(program)): answer for subject, answer in said.select("subject", "answer").rows()}
    return found


def _columns(pairs: Sequence[tuple[UUID, str]]) -> tuple[list[UUID], list[str]]:
    return [subject for subject, _ in pairs], [program for _, program in pairs]


async def _coverage(world: World) -> Check:
    """Certified for each of his programs, or why not is a case, or documented as unreachable at the end that ran out."""
    enrolled = [(person.subject, program) for person in world.people.values() for program in person.programs]
    answers = await _answers(world, enrolled)
    without = [pair for pair, said in answers.items() if said != "recognised"]
    rows = await world.rows(_COVERED, *_columns(without))
    left = {row["subject"] for row in rows if not row["with_case"] and not row["unreachable"]}
    unreachable = {row["subject"] for row in rows if not row["with_case"]} - left
    with_case = {row["subject"] for row in rows} - left - unreachable
    certified = set(world.people) - left - unreachable - with_case
    world.counts.update(
        {
            "end: certified": len(certified),
            "end: with a case": len(with_case),
            "end: documented as unreachable": len(unreachable),
        }
    )
    share = 100 * (1 - len(left) / len(world.people))
    return Check(
        name="coverage ends at 100 %: certified, with a case, or documented as unreachable",
        good=not left,
        found=f"{share:.2f} % of {len(world.people):,}: certified {len(certified):,}, else with a case "
        f"{len(with_case):,}, else unreachable {len(unreachable):,}, without {len(left)}{_some(left)}",
    )


async def _nothing_late(world: World) -> Check:
    tasks = await world.database.fetchval(
        "SELECT count(*) FROM grid.tasks WHERE reason = 'unmatched' AND state <> 'closed' AND due_on < $1", world.today
    )
    cases = await world.rows(
        "SELECT subject FROM grid.cases WHERE state <> 'concluded' AND (deadline_on < $1 OR opened_at < $2)",
        world.today,
        datetime(world.today.year, world.today.month, 1, tzinfo=SHANGHAI),
    )
    return Check(
        name="no task of an end that is past is open, no case is past its deadline or from before the last month",
        good=tasks == 0 and not cases,
        found=f"{tasks} tasks, {len(cases)} cases{_some({row['subject'] for row in cases})}",
    )


async def _two_people(world: World) -> list[Check]:
    rows = await world.rows(
        """
        SELECT c.case_id, c.verified_by, c.concluded_by,
            count(DISTINCT s.actor) FILTER (WHERE s.action IN ('finding', 'reviewed', 'concluded')) AS eyes,
            bool_or(s.action = 'finding' AND s.actor = c.concluded_by) AS own,
            bool_or(s.action = 'visited' AND s.actor IN (c.verified_by, c.concluded_by)) AS visitor
        FROM grid.cases c JOIN grid.case_steps s USING (case_id) WHERE c.state = 'concluded' GROUP BY 1, 2, 3
        """
    )
    wrong = [
        row
        for row in rows
        if row["eyes"] < 2 or row["own"] or row["visitor"] or row["verified_by"] == row["concluded_by"]
    ]
    stops = await world.rows("SELECT decided_by, confirmed_by FROM recognition.decision")
    alone = [row for row in stops if row["decided_by"] == row["confirmed_by"]]
    return [
        Check(
            name="every case was concluded by two people, none of whom had knocked",
            good=bool(rows) and not wrong,
            found=f"{len(rows):,} cases, {len(wrong)} otherwise",
        ),
        Check(
            name="every stop was decided by one officer and confirmed by another",
            good=bool(stops) and not alone,
            found=f"{len(stops):,} decisions, {len(alone)} otherwise",
        ),
    ]


async def _rightly_stopped(world: World) -> Check:
    """Nobody who lives was ended as dead; a visit certified nobody who was dead."""
    ended = await world.rows(
        "SELECT DISTINCT subject FROM recognition.decision WHERE reason = 'death' AND effect = 'terminate' "
        "AND state = 'effective'"
    )
    living = [row for row in ended if not _gone(world, row["subject"])]
    seen = await world.rows("SELECT subject, as_of FROM recognition.certificate WHERE channel IN ('home', 'remote')")
    ghosts = [row for row in seen if world.people[row["subject"]].dead(row["as_of"])]
    return Check(
        name="nobody who lives was ended as dead, and no visit certified a dead person",
        good=not living and not ghosts,
        found=f"{len(ended):,} ended, {len(living)} of them alive; {len(seen):,} seen at the door, {len(ghosts)} of them dead",
    )


def _gone(world: World, subject: UUID) -> bool:
    person = world.people[subject]
    return person.dead(world.today) or person.declared_dead


def _some(people: set[UUID]) -> str:
    return f" ({', '.join(str(each) for each in sorted(people)[:3])})" if people else ""

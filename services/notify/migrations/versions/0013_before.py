"""What was given up, and who was found alive, before this was kept by row is known by row, too."""

from typing import Final

from alembic import op

revision = "notify_0013"
down_revision = "notify_0012"
branch_labels = None
depends_on = None

# As `store.messages` gives up what is heard of from now on. Nobody brings what is given up; a list keeps none of it.
GIVEN_UP: Final = """
WITH void AS (
    UPDATE notify.message m SET given_up = true
    WHERE NOT m.given_up AND m.decision_id IS NOT NULL AND EXISTS (
        SELECT FROM notify.message w WHERE w.subject = m.subject
            AND (w.decision_id = m.decision_id
                 AND (m.template IN ('notice_intended_stop', 'notice_suspended', 'notice_terminated', 'notice_reduced',
                                     'notice_payee_change')
                      AND w.template IN ('notice_resumed', 'notice_withdrawn', 'notice_other_stands')
                      OR m.template IN ('notice_refund', 'notice_plan_agreed', 'notice_instalment_due',
                                        'notice_referred')
                      AND w.template IN ('notice_repaid', 'notice_not_owed') AND w.about > m.about
                      AND w.variables->>'reason' NOT IN ('repaid_in_part', 'written_off_in_part'))
                 OR m.template = 'notice_suspended' AND w.template = 'notice_resumed' AND w.about > m.about
                 AND w.variables->'programs' @> (m.variables->'programs')))
    RETURNING m.id
)
UPDATE notify.delivery d SET status = 'merged', reason = 'given_up', ended_at = now()
FROM void WHERE d.message_id = void.id
  AND (d.status IN ('queued', 'waiting') OR (d.status = 'handed' AND d.channel IN ('letter', 'loudspeaker')))
"""
# Between migration 0011 and the change of the process, the version of before kept it where it is read no more.
FOUND_ALIVE: Final = """
INSERT INTO notify.death_record (subject, record_id, revision, stands, reason, recorded_at)
SELECT subject, gen_random_uuid(), 0, false, 'alive', lifted_at FROM notify.do_not_write n
WHERE lifted_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM notify.death_record a
    WHERE a.subject = n.subject AND starts_with(a.reason, 'alive') AND a.recorded_at >= n.lifted_at)
"""


def upgrade() -> None:
    op.execute(GIVEN_UP)
    op.execute(FOUND_ALIVE)


def downgrade() -> None:
    """The version before reads the same rows."""

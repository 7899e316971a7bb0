"""The roll, tasks, visits with their photos, cases and reports."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.grid.domain.cases import CaseState
from services.grid.domain.reports import ReportState
from services.grid.domain.tasks import Rung, TaskState
from services.grid.domain.visits import Informant, VisitStatus
from services.grid.tables.base import AT, METADATA, one_of, village
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind, TaskReason, VisitResult

DIVISIONS = sa.Table(
    "divisions",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True, comment="6 digits county, 9 town, 12 village"),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("parent", sa.Text),
    sa.CheckConstraint(
        "(level, length(code)) IN (('county', 6), ('town', 9), ('village', 12)) AND code ~ '^[0-9]+$'", name="level"
    ),
    sa.CheckConstraint("(parent IS NULL) = (level = 'county')", name="parent"),
)

WORKERS = sa.Table(
    "workers",
    METADATA,
    sa.Column("worker_id", sa.Text, primary_key=True, comment="w and 15 hex digits; named in visits and events"),
    sa.Column("name_key", pg.BYTEA, nullable=False, comment="keyed hash of the name"),
    sa.Column("phone_key", pg.BYTEA, nullable=False, comment="keyed hash of the phone, of the empty text where none"),
    sa.Column("sealed", pg.BYTEA, nullable=False, comment="AES-GCM of JSON {name, phone}"),
    sa.Column("created_at", AT, nullable=False),
    sa.Column("changed_at", AT, nullable=False),
    sa.UniqueConstraint("name_key", "phone_key"),
    sa.CheckConstraint("worker_id ~ '^w[0-9a-f]{15}$'", name="worker_id"),
    sa.CheckConstraint("length(name_key) = 16 AND length(phone_key) = 16", name="keys"),
)

WORKER_USERS = sa.Table(
    "worker_users",
    METADATA,
    sa.Column("user_key", pg.BYTEA, primary_key=True, comment="keyed hash of how tokens call him"),
    sa.Column("worker_id", sa.Text, nullable=False),
    comment="people whom tokens of an office do not call by their ids, so that nobody is two",
)

GRIDS = sa.Table(
    "grids",
    METADATA,
    sa.Column("grid_code", sa.Text, primary_key=True, comment="village (12 digits) and group (3 digits)"),
    sa.Column("division", sa.Text, nullable=False),
    sa.Column("group_no", sa.SmallInteger, nullable=False),
    sa.Column("member_id", sa.Text, nullable=False, comment="the residents' group head who knocks"),
    sa.Column("leader_id", sa.Text, comment="village cadre"),
    sa.Column("assistant_id", sa.Text, comment="assistant officer of the village or town"),
    sa.Column("lon", sa.Double),
    sa.Column("lat", sa.Double),
    sa.Column("changed_at", AT, nullable=False),
    sa.CheckConstraint("grid_code = division || lpad(group_no::text, 3, '0')", name="grid_code"),
    sa.CheckConstraint("group_no BETWEEN 1 AND 999", name="group_no"),
    village(),
    sa.Index("ix_grids_member_id", "member_id"),
    sa.Index("ix_grids_leader_id", "leader_id"),
    sa.Index("ix_grids_assistant_id", "assistant_id"),
    sa.Index("ix_grids_division", "division"),
)

GRID_CHANGES = sa.Table(
    "grid_changes",
    METADATA,
    sa.Column("grid_code", sa.Text, primary_key=True),
    sa.Column("duty", sa.Text, primary_key=True),
    sa.Column("changed_at", AT, primary_key=True),
    sa.Column("before_id", sa.Text),
    sa.Column("after_id", sa.Text),
    sa.CheckConstraint("duty IN ('member', 'leader', 'assistant')", name="duty"),
    sa.CheckConstraint("before_id IS DISTINCT FROM after_id", name="changed"),
    comment="who held a duty before",
)

SUBSTITUTIONS = sa.Table(
    "substitutions",
    METADATA,
    sa.Column("substitution_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("worker_id", sa.Text, nullable=False),
    sa.Column("substitute_id", sa.Text, nullable=False),
    sa.Column("from_on", sa.Date, nullable=False),
    sa.Column("until_on", sa.Date, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", AT, nullable=False),
    sa.CheckConstraint("until_on >= from_on", name="days"),
    sa.CheckConstraint("worker_id <> substitute_id", name="other"),
    sa.Index("ix_substitutions_substitute_id", "substitute_id", "until_on"),
    sa.Index("ix_substitutions_worker_id", "worker_id", "until_on"),
    comment="who stands in while someone is away",
)

RECIPIENTS = sa.Table(
    "recipients",
    METADATA,
    sa.Column("subject", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("division", sa.Text),
    sa.Column("group_no", sa.SmallInteger),
    sa.Column("sex", sa.Text),
    sa.Column("born_on", sa.Date),
    sa.Column("received_at", AT, nullable=False, comment="of the roster; an older one changes nothing"),
    sa.Column("moved_at", AT, comment="of the roster that first named this address"),
    sa.Column("active_since", AT, comment="of the roster or the decision since which it is paid without a break"),
    village(),
    sa.CheckConstraint("group_no BETWEEN 0 AND 999", name="group_no"),
    sa.CheckConstraint("sex IN ('male', 'female')", name="sex"),
    comment="where rosters say a person lives, by program; the newest address counts",
)

RELOCATIONS = sa.Table(
    "relocations",
    METADATA,
    sa.Column("subject", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("grid_code", sa.Text, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", AT, nullable=False),
    comment="corrections by members who said «not mine»",
)

CERTIFIED = sa.Table(
    "certified",
    METADATA,
    sa.Column("subject", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("certificate_id", pg.UUID(as_uuid=True), comment="null where it was heard of before this was kept"),
    sa.Column("valid_until", sa.Date, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("said_at", AT, nullable=False, server_default="epoch", comment="an older word changes nothing"),
    comment="the certificate told last: a task due before it ends is moot, whichever comes first",
)

REVOKED_CERTIFICATES = sa.Table(
    "revoked_certificates",
    METADATA,
    sa.Column("certificate_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("revoked_at", AT, nullable=False),
    comment="certificates that do not hold, heard of or not",
)

TASKS = sa.Table(
    "tasks",
    METADATA,
    sa.Column("task_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rung", sa.Text, nullable=False, server_default=Rung.MEMBER.value, comment="whose turn it is"),
    sa.Column("due_on", sa.Date, comment="end of the person's certification; null where nothing runs out"),
    sa.Column("deadline_on", sa.Date, nullable=False, comment="by when the rung has to act"),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("division", sa.Text),
    sa.Column("grid_code", sa.Text),
    sa.Column("worker_id", sa.Text, comment="in whose hands"),
    sa.Column("born_on", sa.Date),
    sa.Column("programs", sa.SmallInteger, nullable=False),
    sa.Column("opened_by", sa.Text, nullable=False, comment="run, case or request it came from"),
    sa.Column("about", pg.ARRAY(sa.Text), nullable=False, server_default="{}", comment="what exactly: rules, draws"),
    sa.Column("ordered_on", sa.Date, comment="day scoring was last asked how urgent it is"),
    sa.Column(
        "visit_reasons", pg.ARRAY(sa.Text), comment="why scoring puts the visit there; null where it has not said"
    ),
    sa.Column("created_at", AT, nullable=False),
    sa.Column("changed_at", AT, nullable=False),
    sa.Column("closed_at", AT),
    sa.Column("outcome", sa.Text),
    sa.Column("closing_visit_id", pg.UUID(as_uuid=True)),
    sa.Column("closed_by", sa.Text, comment="the person who documented the end, where one did"),
    sa.Column(
        "not_by", pg.ARRAY(sa.Text), nullable=False, server_default="{}", comment="who may not do it: other eyes"
    ),
    sa.Column("reopened_at", AT, comment="visits before this instant do not answer it"),
    sa.Column(
        "sightings", sa.SmallInteger, nullable=False, server_default="0", comment="reported: each has its prompt"
    ),
    one_of("reason", TaskReason),
    one_of("state", TaskState),
    one_of("rung", Rung),
    village(),
    sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
    sa.CheckConstraint("(state = 'closed') = (outcome IS NOT NULL)", name="outcome"),
    sa.CheckConstraint("state IN ('created', 'closed') OR worker_id IS NOT NULL", name="in_hands"),
    sa.CheckConstraint("outcome NOT IN ('absent_informed_by', 'refused')", name="never_a_pass"),
    sa.Index("uq_tasks_open", "subject", "reason", unique=True, postgresql_where=sa.text("state <> 'closed'")),
    sa.Index("ix_tasks_closed", "subject", postgresql_where=sa.text("state = 'closed'")),
    # Without `changed_at`: a worker or a grid has some hundreds of tasks at most, and each change would move its entry.
    sa.Index("ix_tasks_worker_id", "worker_id"),
    sa.Index("ix_tasks_grid_code", "grid_code"),
    sa.Index("ix_tasks_created", "grid_code", postgresql_where=sa.text("state = 'created'")),
    sa.Index(
        "ix_tasks_ordered_on",
        "ordered_on",
        postgresql_where=sa.text("state <> 'closed' AND reason IN ('unmatched', 'sample')"),
    ),
)

TASK_HANDS = sa.Table(
    "task_hands",
    METADATA,
    # Without a foreign key: the morning's sharing of work moves a hundred thousand at once.
    sa.Column("task_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("worker_id", sa.Text, primary_key=True),
    sa.Column("until_at", AT, primary_key=True),
    comment="who had a task before: his phone may still tell what he found then",
)

VISITS = sa.Table(
    "visits",
    METADATA,
    sa.Column("visit_id", pg.UUID(as_uuid=True), primary_key=True, comment="made by the phone"),
    sa.Column("fingerprint", pg.BYTEA, nullable=False, comment="of the report: another one under this id is refused"),
    sa.Column("task_id", pg.UUID(as_uuid=True), sa.ForeignKey(TASKS.c.task_id), nullable=False),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("division", sa.Text, nullable=False),
    sa.Column("worker_id", sa.Text, nullable=False),
    sa.Column("sent_by", sa.Text, nullable=False, comment="client that delivered it"),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("visited_at", AT, nullable=False),
    sa.Column("received_at", AT, nullable=False),
    sa.Column("seen", sa.Boolean, nullable=False),
    sa.Column("talked", sa.Boolean, nullable=False),
    sa.Column("explained", sa.Boolean, nullable=False),
    sa.Column("registered", sa.Boolean, nullable=False),
    sa.Column("problems", sa.Boolean, nullable=False),
    sa.Column("id_card_read", sa.Boolean, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("informant", sa.Text),
    sa.Column("proofs", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("helper", pg.BYTEA, comment="keyed hash of who helped at the door"),
    sa.Column("prompt_id", sa.Integer),
    sa.Column("prompt_answered", sa.Boolean, nullable=False),
    sa.Column("lon", sa.Double),
    sa.Column("lat", sa.Double),
    sa.Column("photo", sa.Boolean, nullable=False, server_default="false", comment="the report announced one"),
    sa.Column("flags", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("note", pg.BYTEA, comment="sealed"),
    sa.Column("reviewed_by", sa.Text),
    sa.Column("reviewed_at", AT),
    sa.Column(
        "withdrawn",
        sa.SmallInteger,
        nullable=False,
        server_default="0",
        comment="how often it had counted and does not any more",
    ),
    one_of("result", VisitResult),
    one_of("status", VisitStatus),
    one_of("informant", Informant),
    village(),
    sa.CheckConstraint("(result IN ('seen_alive', 'seen_by_video')) = seen", name="seen"),
    sa.CheckConstraint("result <> 'absent_informed_by' OR informant IS NOT NULL", name="absent"),
    sa.CheckConstraint("result <> 'dead' OR event_on IS NOT NULL", name="dead"),
    sa.CheckConstraint("(reviewed_by IS NULL) = (reviewed_at IS NULL)", name="reviewed"),
    sa.Index("ix_visits_task_id", "task_id"),
    sa.Index("ix_visits_subject", "subject"),
    sa.Index("ix_visits_worker_id", "worker_id", "visited_at"),
    sa.Index("ix_visits_in_review", "division", postgresql_where=sa.text("status = 'in_review'")),
    sa.Index("ix_visits_awaiting", "received_at", postgresql_where=sa.text("status = 'awaiting_photo'")),
    sa.Index("ix_visits_received_at", "received_at"),
    sa.Index("ix_visits_visited_at", "visited_at"),
)

PHOTOS = sa.Table(
    "photos",
    METADATA,
    sa.Column("visit_id", pg.UUID(as_uuid=True), sa.ForeignKey(VISITS.c.visit_id), primary_key=True),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("worker_id", sa.Text, nullable=False),
    sa.Column("sha256", pg.BYTEA, nullable=False, comment="of what the phone sent"),
    sa.Column("sealed", pg.BYTEA, comment="JPEG, bound to the visit; null once its time is over"),
    sa.Column("bands", pg.ARRAY(sa.Integer), nullable=False, comment="by what a later photo finds this one"),
    sa.Column("coarse", pg.BYTEA, nullable=False),
    sa.Column("fine", pg.BYTEA, nullable=False),
    sa.Column("received_at", AT, nullable=False),
    sa.Column("keep_until", sa.Date, nullable=False),
    sa.Column("mark_until", sa.Date, nullable=False),
    sa.Index("ix_photos_bands", "bands", postgresql_using="gin"),
    sa.Index("ix_photos_keep_until", "keep_until", postgresql_where=sa.text("sealed IS NOT NULL")),
    sa.Index("ix_photos_mark_until", "mark_until"),
    comment="photos of visits; their marks outlive them, so that an old photo is known again",
)

CASES = sa.Table(
    "cases",
    METADATA,
    sa.Column("case_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("confidence", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date, comment="as found; until then the earliest day that registers and visits now name"),
    sa.Column("rounds", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("division", sa.Text),
    sa.Column("grid_code", sa.Text),
    sa.Column("worker_id", sa.Text, comment="who is asked to knock"),
    sa.Column("deadline_on", sa.Date, nullable=False, comment="ten working days"),
    sa.Column("told_deadline_on", sa.Date, comment="deadline whose passing was told last"),
    sa.Column("opened_at", AT, nullable=False),
    sa.Column("changed_at", AT, nullable=False),
    sa.Column("previous_case_id", pg.UUID(as_uuid=True), comment="concluded before on less evidence"),
    sa.Column("conclusion", sa.Text),
    sa.Column("concluded_at", AT),
    sa.Column("verified_by", sa.Text),
    sa.Column("concluded_by", sa.Text),
    one_of("kind", SuspicionKind),
    one_of("state", CaseState),
    one_of("confidence", Confidence),
    one_of("conclusion", CaseConclusion),
    village(),
    sa.CheckConstraint(
        "(state = 'concluded') = (conclusion IS NOT NULL AND concluded_at IS NOT NULL "
        "AND verified_by IS NOT NULL AND concluded_by IS NOT NULL)",
        name="concluded",
    ),
    sa.CheckConstraint("verified_by <> concluded_by", name="four_eyes"),
    sa.Index("uq_cases_open", "subject", "kind", unique=True, postgresql_where=sa.text("state <> 'concluded'")),
    sa.Index("ix_cases_subject", "subject"),
    sa.Index("ix_cases_division", "division", "case_id"),
    sa.Index("ix_cases_detected", "grid_code", postgresql_where=sa.text("state = 'detected'")),
)

SUSPICIONS = sa.Table(
    "suspicions",
    METADATA,
    sa.Column("suspicion_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("confidence", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("evidence_ids", pg.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("sources", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("reasons", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("rule_set", sa.Text, nullable=False),
    sa.Column("case_id", pg.UUID(as_uuid=True), comment="the case it went into last"),
    one_of("kind", SuspicionKind),
    one_of("confidence", Confidence),
    sa.Index("ix_suspicions_case_id", "case_id"),
    comment="what scoring suspects, in its latest revision",
)

CASE_STEPS = sa.Table(
    "case_steps",
    METADATA,
    sa.Column("case_id", pg.UUID(as_uuid=True), sa.ForeignKey(CASES.c.case_id), primary_key=True),
    sa.Column("step_no", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False, comment="the person, or the service for what a machine noted"),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("happened_at", AT, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("event_on", sa.Date),
    sa.Column("basis", pg.JSONB, nullable=False, server_default=sa.text("'[]'")),
    sa.Column("note", pg.BYTEA, comment="sealed"),
    sa.CheckConstraint(
        "action IN ('detected', 'merged', 'evidence_added', 'assigned', 'visited', 'finding', 'returned', 'reviewed', "
        "'second_visit', 'recused', 'concluded', 'decided')",
        name="action",
    ),
    comment="who did what in a case, when and on what; rows are only added",
)

REPORTS = sa.Table(
    "reports",
    METADATA,
    sa.Column("division", sa.Text, primary_key=True),
    sa.Column("month", sa.Date, primary_key=True, comment="first day of the month reported on"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("suspected", pg.ARRAY(pg.UUID(as_uuid=True)), nullable=False, comment="cases under way at the end"),
    sa.Column("confirmed", pg.ARRAY(pg.UUID(as_uuid=True)), nullable=False, comment="cases confirmed in the month"),
    sa.Column("zero", sa.Boolean, nullable=False, comment="signed statement that there is nothing to report"),
    sa.Column("submitted_by", sa.Text, nullable=False),
    sa.Column("submitted_at", AT, nullable=False),
    sa.Column("checked_by", sa.Text),
    sa.Column("checked_at", AT),
    sa.Column("signed_by", sa.Text),
    sa.Column("signed_at", AT),
    sa.Column("accepted_by", sa.Text),
    sa.Column("accepted_at", AT),
    one_of("state", ReportState),
    village(),
    sa.CheckConstraint("extract(day FROM month) = 1", name="month"),
    sa.CheckConstraint("zero = (cardinality(suspected) + cardinality(confirmed) = 0)", name="zero"),
    sa.CheckConstraint("checked_by <> submitted_by AND accepted_by <> checked_by", name="four_eyes"),
    sa.CheckConstraint("state <> 'locked' OR (signed_at IS NOT NULL AND accepted_at IS NOT NULL)", name="locked"),
    comment="what a village reports each month, zero reports included",
)

"""Words that travel in events and answers, spelled once; meanings follow the glossary of the field."""

from enum import StrEnum


class Polarity(StrEnum):
    """What a source's rows speak for: positive may only certify, negative may only open a case."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class Strength(StrEnum):
    """Strong evidence is an in-person act; weak evidence needs corroboration."""

    STRONG = "strong"
    WEAK = "weak"


class Identity(StrEnum):
    """How surely a row is the person: id and name (or reader-checked card and face), or the number alone."""

    FULL = "full"
    ID_ONLY = "id_only"


class EvidenceKind(StrEnum):
    """What one accepted row tells about the person."""

    SEEN = "seen"
    DIED = "died"
    HOSPITAL_DEATH = "hospital_death"
    CUSTODY = "custody"
    RELEASED = "released"
    DETAINED = "detained"
    SENTENCED_CUSTODY = "sentenced_custody"
    SENTENCED_COMMUNITY = "sentenced_community"
    DECLARED_MISSING = "declared_missing"
    DECLARED_DEAD = "declared_dead"


class Level(StrEnum):
    """Liveness level of an assessment: what data say, whether or not it certifies.

    strong: a strong act of his own in the window; medium: weak records only; low: nothing that counts; conflict: a
    negative record stands that nobody has refuted, with or without a sign of life after it.
    """

    STRONG = "strong"
    MEDIUM = "medium"
    LOW = "low"
    CONFLICT = "conflict"


class Decision(StrEnum):
    """What scoring concludes: a machine may certify or suspect, never stop."""

    CERTIFIABLE = "certifiable"
    INSUFFICIENT = "insufficient"
    SUSPECTED = "suspected"


class Claim(StrEnum):
    """What a certificate states; a program lists the claims it requires."""

    ALIVE = "alive"
    NOT_IN_CUSTODY = "not_in_custody"
    RESIDENT_HERE = "resident_here"
    UNMARRIED = "unmarried"
    NOT_EMPLOYED = "not_employed"
    NO_OTHER_PENSION = "no_other_pension"
    STILL_DISABLED = "still_disabled"
    INCOME_OK = "income_ok"
    AGE_IN_RANGE = "age_in_range"


class Channel(StrEnum):
    """The way a certification came about."""

    DATA = "data"
    FACE = "face"
    COUNTER = "counter"
    HOME = "home"
    REMOTE = "remote"
    PARTNER = "partner"


class SuspicionKind(StrEnum):
    """Why someone may have lost eligibility; neutral until people have looked."""

    DEATH = "suspected_death"
    INCARCERATION = "suspected_incarceration"
    MISSING = "suspected_missing"
    DUPLICATE_RECEIPT = "duplicate_receipt"
    CONFLICT = "conflict"


class Confidence(StrEnum):
    """Weight of a negative: an incomplete record, one register, or two independent ones that agree."""

    HINT = "hint"
    PROBABLE = "probable"
    CONCLUSIVE = "conclusive"


class EnrolmentChange(StrEnum):
    """What a roster said about an enrolment."""

    NEW = "new"
    CHANGED = "changed"
    ENDED = "ended"


class TaskReason(StrEnum):
    """Why a grid member is asked to knock."""

    UNMATCHED = "unmatched"
    SUSPICION = "suspicion"
    SAMPLE = "sample"
    REQUEST = "request"
    TAKE_UP = "take_up"


class VisitResult(StrEnum):
    """What a visit found; `absent_informed_by` is never a pass."""

    SEEN_ALIVE = "seen_alive"
    SEEN_BY_VIDEO = "seen_by_video"
    ABSENT_INFORMED_BY = "absent_informed_by"
    DEAD = "dead"
    MOVED = "moved"
    IN_CUSTODY = "in_custody"
    REFUSED = "refused"
    NO_SUCH_PERSON = "no_such_person"


class CaseConclusion(StrEnum):
    """How people concluded a case."""

    UNFOUNDED = "unfounded"
    FALSE_DEATH = "false_death"
    CONFIRMED = "confirmed"
    CONFIRMED_NO_OVERPAYMENT = "confirmed_no_overpayment"
    INCONCLUSIVE = "inconclusive"


class CaseParty(StrEnum):
    """Whose turn it is in a case."""

    VILLAGE = "village"
    TOWN = "town"
    AGENCY = "agency"


class LateMatter(StrEnum):
    """What an office has to finish in time beside suspicions."""

    STOP_REQUEST = "stop_request"
    TIP = "tip"
    UNPLACED_TASK = "unplaced_task"


class TaskStage(StrEnum):
    """With whom a task lies; each lateness moves it one step."""

    MEMBER = "member"
    LEADER = "leader"
    ASSISTANT = "assistant"
    TOWN = "town"


class CorrectionStatus(StrEnum):
    """Where a correction of a department's record stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"


IN_OWN_WORDS = "in_own_words"
"""A reason that is no code: neither events nor rows hold text that may name somebody, but sealed."""


class CorrectionReason(StrEnum):
    """Why a department's record is said to be wrong, as far as machines are told."""

    FALSE_DEATH = "false_death"
    WITHDRAWN = "withdrawn"
    IN_OWN_WORDS = IN_OWN_WORDS

    @classmethod
    def of(cls, reason: str) -> "CorrectionReason":
        """The code of a reason; anything else is somebody's own words, in whichever field they stand."""
        return next((code for code in cls if code == reason), cls.IN_OWN_WORDS)


class NoticeKind(StrEnum):
    """What a legal notice is about."""

    INTENDED_STOP = "intended_stop"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    WITHDRAWN = "withdrawn"
    OTHER_STANDS = "other_stands"
    TERMINATED = "terminated"
    REDUCED = "reduced"
    PAYEE_CHANGE = "payee_change"
    ARREARS = "arrears"
    REFUND = "refund"
    PLAN_AGREED = "plan_agreed"
    INSTALMENT_DUE = "instalment_due"
    REPAID = "repaid"
    NOT_OWED = "not_owed"
    REFERRED = "referred"
    APOLOGY = "apology"
    ANSWERED = "answered"


class SubscriptionStatus(StrEnum):
    """Where a partner's webhook endpoint stands."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    ENDED = "ended"


class Answer(StrEnum):
    """What a program hears; absence of a record is `unknown` or `not_yet`, never a word about death."""

    RECOGNISED = "recognised"
    NOT_YET = "not_yet"
    UNDER_REVIEW = "under_review"
    UNKNOWN = "unknown"


class Audience(StrEnum):
    """Whom a message is for."""

    CITIZEN = "citizen"
    FAMILY = "family"
    GRID_WORKER = "grid_worker"
    VILLAGE = "village"
    OFFICER = "officer"
    DEPARTMENT = "department"
    PARTNER = "partner"


SHARDS = "0123456789abcdef"
EVERY_SHARD = "all"
"""The sixteen shards: the first hex digit of the subject."""

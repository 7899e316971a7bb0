"""What can go wrong with a request to grid, each with its sentence."""

from collections.abc import Sequence

from services.grid.domain.roll import Fault
from shared.kit.problems import ConflictError, ForbiddenError, MalformedError, NotFoundError, ProblemError


class RollUnreadableError(ProblemError):
    """Not a CSV of the documented format."""

    status = 400
    code = "roll_unreadable"
    title = "The list of grids cannot be read"


class RollRefusedError(MalformedError):
    """A list with faults is refused whole."""

    code = "roll_refused"
    title = "The list of grids has faults; nothing was taken in"

    def __init__(self, faults: Sequence[Fault]) -> None:
        errors = [
            {
                "pointer": f"/rows/{fault.row}/{fault.column}",
                "code": fault.code,
                "detail": "See the format of the list.",
            }
            for fault in faults
        ]
        super().__init__(
            "Mend the rows in `errors` (the first twenty) and send the whole list.", extra={"errors": errors}
        )


class NoSuchTaskError(NotFoundError):
    """Absent, or another village's."""

    code = "no_such_task"
    title = "There is no such task in your grids"


class NoSuchVisitError(NotFoundError):
    """Absent, or another village's."""

    code = "no_such_visit"
    title = "There is no such report in your grids"


class NoSuchPhotoError(NotFoundError):
    """Absent, deleted as the rule says, or another village's."""

    code = "no_such_photo"
    title = "There is no photo of this visit any more, or none in your grids"


class PhotoNotExpectedError(ConflictError):
    """A photo nobody announced, or a second one."""

    code = "photo_not_expected"
    title = "The report announced no photo, or has another one already"


class PhotoUnreadableError(MalformedError):
    """Not a photo we can look at."""

    code = "photo_unreadable"
    title = "Send a JPEG, PNG or WebP of at least 200 pixels on its short side"


class NotInReviewError(ConflictError):
    """A report that nobody has to review."""

    code = "not_in_review"
    title = "The report does not wait for a review"


class KnockAgainError(ConflictError):
    """Too early to call somebody unreachable."""

    code = "knock_again"
    title = "Somebody must knock again before the person counts as unreachable"


class NoSuchCaseError(NotFoundError):
    """Absent, or another village's."""

    code = "no_such_case"
    title = "There is no such case in your divisions"


class NoSuchPersonError(NotFoundError):
    """Nobody whom a roster lists, or another office's."""

    code = "no_such_person"
    title = "Nobody of that id is known to live in your divisions"


class NoSuchWorkerError(NotFoundError):
    """Absent, or another village's."""

    code = "no_such_worker"
    title = "There is no such member in your divisions"


class NoSuchGridError(NotFoundError):
    """Absent, or another village's."""

    code = "no_such_grid"
    title = "There is no such grid in your divisions"


class WorkerUnknownError(ForbiddenError):
    """A caller who holds no grid."""

    code = "worker_unknown"
    title = "The caller is not a member or leader of any grid"


class WorkerNeededError(ProblemError):
    """A back end that does not say for whom it speaks."""

    status = 400
    code = "worker_needed"
    title = "Say for which member you speak"


class StepNotPossibleError(ConflictError):
    """The case is not where this step may be taken."""

    code = "step_not_possible"
    title = "The case does not allow this step now"


class BarredError(ForbiddenError):
    """This person may not take this step."""

    code = "barred"
    title = "Somebody else must take this step"

    def __init__(self, reason: str) -> None:
        sentences = {
            "recused": "You have recused yourself from this case; it stays with a colleague.",
            "own_visit": "Nobody verifies or reviews his own visit; a colleague of the village must.",
            "own_finding": "Nobody reviews his own finding; a colleague of the town must.",
            "level": "This is the step of an office of a higher level; a colleague there must take it.",
            "four_eyes": "The person who concludes must not have verified; a colleague must conclude.",
        }
        super().__init__(sentences[reason], extra={"reason": reason})


class DoesNotFollowError(ConflictError):
    """A conclusion that the finding does not carry."""

    code = "does_not_follow"
    title = "The conclusion does not follow from what was found"

    def __init__(self, reason: str) -> None:
        detail = "Return the case to the village, or choose a conclusion that its finding supports."
        super().__init__(detail, extra={"reason": reason})


class BasisMissingError(ConflictError):
    """A finding that rests on nothing."""

    code = "basis_missing"
    title = "A finding rests on a visit of this case or on a named paper"


class NoSuchStopRequestError(NotFoundError):
    """Absent, or another village's."""

    code = "no_such_stop_request"
    title = "There is no such request in your divisions"


class NoSuchTipError(NotFoundError):
    """Absent, or a code nobody was given."""

    code = "no_such_tip"
    title = "There is no such tip, or the code is mistyped"


class ReportIdUsedError(ConflictError):
    """Two different tips under one id."""

    code = "report_id_used"
    title = "Another report was sent under this id; choose a new one"


class NoSuchReportError(NotFoundError):
    """Not submitted, or another village's."""

    code = "no_such_report"
    title = "There is no such report in your divisions"


class MonthNotOverError(ConflictError):
    """A report on a month in which something may still happen."""

    code = "month_not_over"
    title = "The month is not over yet: what is confirmed until its end belongs into its list"


class ZeroMismatchError(ConflictError):
    """A zero report with people on the list, or a list without any."""

    code = "zero_mismatch"
    title = "The statement does not fit the list; read the draft again"


class NoSuchSubstitutionError(NotFoundError):
    """Absent, or of grids elsewhere."""

    code = "no_such_substitution"
    title = "Nobody stands in like this in your divisions"


class SubstitutionTakenError(ConflictError):
    """Two substitutes for the same days."""

    code = "substitution_taken"
    title = "Somebody stands in on some of these days already"

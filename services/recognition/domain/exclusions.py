"""Double receipt: which of two benefits that may not be held together ends, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.recognition.domain.programs import Effect, EndingEvent, Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A benefit a person draws."""

    program: str
    started_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What a double receipt comes to.

    Attributes:
        program: the one that ends.
        kept: the one that stays.
        since: first day on which both were drawn; None where neither says when it began.
    """

    program: str
    kept: str
    reason: EndingEvent
    effect: Effect
    since: date | None


def pairs(programs: Mapping[str, Program]) -> list[tuple[str, str]]:
    """Every two programs that may not be held together, both ways round."""
    return [(code, other) for code, program in sorted(programs.items()) for other in program.excludes]


def which_ends(
    programs: Mapping[str, Program], kept_first: Sequence[Sequence[str]], first: Held, second: Held
) -> Ends | None:
    """Which of two benefits ends when one person draws both; None where they may be held together.

    The order of the arguments does not matter.

    Args:
        programs: by code.
        kept_first: ranks of programs; of two excluded ones that of the earlier rank is kept (人社厅发〔2021〕77号:
            an employee's pension is kept, a residents' pension cleared). In one rank, or in none, the benefit that
            began first is kept (the same rule for two residents' pensions).
        first: one of the two.
        second: the other.
    """
    if second.program not in programs[first.program].excludes:
        return None
    ranks = {code: rank for rank, codes in enumerate(kept_first) for code in codes}
    lowest = len(kept_first)
    kept, ended = sorted(
        (first, second),
        key=lambda each: (ranks.get(each.program, lowest), each.started_on or date.max, each.program),
    )
    since = max((each.started_on for each in (kept, ended) if each.started_on), default=None)
    events = programs[ended.program].in_force(since or date.max).events
    pension = ranks.get(kept.program, lowest) == 0 and EndingEvent.OTHER_PENSION in events
    reason = EndingEvent.OTHER_PENSION if pension else EndingEvent.DUPLICATE_RECEIPT
    effect = events.get(reason)
    if effect is None:
        return None
    return Ends(program=ended.program, kept=kept.program, reason=reason, effect=effect, since=since)

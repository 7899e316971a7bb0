"""How people want to be told."""

from fastapi import APIRouter

from services.notify.api.common import Looker, Preferrer, Wired
from services.notify.schemas import PreferenceOut, PreferenceRequest, PreferenceSearch
from services.notify.usecases import prefer
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["preferences"], responses=PROBLEM_RESPONSES)


@router.post("/preferences")
async def set_preference(wired: Wired, caller: Preferrer, body: PreferenceRequest) -> PreferenceOut:
    """Keep what a person asks for, for himself or by who manages messages: no information, large print, a language."""
    async with wired.database.write() as tx:
        kept = await prefer.prefer(
            tx,
            wired,
            caller,
            body.subject,
            information=body.information,
            large_print=body.large_print,
            language=body.language,
        )
    return PreferenceOut.model_validate(kept, from_attributes=True)


@router.post("/preferences:search")
async def get_preference(wired: Wired, caller: Looker, body: PreferenceSearch) -> PreferenceOut:
    """What a person has asked for, or the defaults; the look is written down."""
    async with wired.database.write() as tx:
        kept = await prefer.find_preference(tx, wired, caller, body.subject)
    return PreferenceOut.model_validate(kept, from_attributes=True)

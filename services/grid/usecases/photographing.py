"""The photo of a visit: looked at for reuse, sealed, and kept no longer than the rule says."""

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from uuid import UUID

from PIL import Image, ImageOps

from services.grid.domain.looks import Seen
from services.grid.domain.photos import Marks, marks_of, same
from services.grid.domain.views import View
from services.grid.domain.visits import VisitStatus
from services.grid.store import locks, photos, tasks
from services.grid.store import visits as store
from services.grid.store.photos import StoredPhoto
from services.grid.store.readings import Reading
from services.grid.store.visits import StoredVisit
from services.grid.usecases import looking
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import (
    NoSuchPhotoError,
    NoSuchVisitError,
    PhotoNotExpectedError,
    PhotoUnreadableError,
)
from services.grid.usecases.visiting import take_effect
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx

MAX_BYTES = 4 * 1024 * 1024
_MAX_PIXELS = 50_000_000
_LEAST, _MOST = 200, 1280
_FORMATS = ("JPEG", "PNG", "WEBP")
REUSED = "photo_reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo as it will be kept: shrunk, without what the camera noted about place and device."""

    body: bytes
    sha256: bytes
    marks: Marks


def read_photo(body: bytes) -> Photo:
    """A phone's photo, checked and shrunk; takes some tens of milliseconds of one core.

    Raises:
        PhotoUnreadableError: no JPEG, PNG or WebP, too small to see anybody, or too large to open.
    """
    try:
        with Image.open(BytesIO(body), formats=_FORMATS) as found:
            if found.width * found.height > _MAX_PIXELS or min(found.size) < _LEAST:
                raise PhotoUnreadableError
            upright = ImageOps.exif_transpose(found).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PhotoUnreadableError from error
    upright.thumbnail((_MOST, _MOST))
    out = BytesIO()
    upright.save(out, "JPEG", quality=80)
    return Photo(body=out.getvalue(), sha256=sha256(body).digest(), marks=marks_of(upright))


async def take_photo(tx: WriteTx, deps: Deps, visit_id: UUID, photo: Photo, *, worker: str) -> StoredVisit:
    """Keep the photo that a report announced; the visit then counts, or waits for the leader when the photo is old.

    Whoever reported the visit delivers its photo, also when he is no longer in charge.

    Raises:
        NoSuchVisitError: absent, or another member's.
        PhotoNotExpectedError: none was announced, or another one has come.
    """
    found = (await store.find_visits(tx, [visit_id])).get(visit_id)
    if found is None or found.visit.worker_id != worker:
        raise NoSuchVisitError
    await locks.lock_people(tx, [found.subject])
    known = await photos.find_photo(tx, visit_id)
    if known is not None and known[0] == photo.sha256:
        return (await store.find_visits(tx, [visit_id]))[visit_id]
    found = (await store.find_visits(tx, [visit_id]))[visit_id]
    if known is not None or found.status is not VisitStatus.AWAITING_PHOTO:
        raise PhotoNotExpectedError
    await photos.lock_photos(tx)
    policy, today = deps.policies.on(deps.clock.today()), deps.clock.today()
    near = await photos.near(tx, photo.marks, but=visit_id)
    reused = any(same(photo.marks, earlier, policy.photo_distance) for _, earlier in near)
    kept = StoredPhoto(
        visit_id=visit_id,
        subject=found.subject,
        worker_id=found.visit.worker_id,
        sha256=photo.sha256,
        sealed=deps.vault.seal(photo.body, visit_id.bytes),
        marks=photo.marks,
        received_at=deps.clock.now(),
        keep_until=today + timedelta(days=policy.photo_days),
        mark_until=today + timedelta(days=policy.photo_mark_days),
    )
    await photos.save_photo(tx, kept)
    return await _go_on(tx, deps, found, (*found.flags, *([REUSED] if reused else [])))


async def give_up_waiting(tx: WriteTx, deps: Deps) -> int:
    """Reports whose photo never came go to the leader; returns how many."""
    since = deps.clock.now() - timedelta(days=deps.policies.on(deps.clock.today()).photo_wait_days)
    waiting = await store.awaiting_photo(tx, since)
    await locks.lock_people(tx, {each.subject for each in waiting})
    # Read once more: until nobody else could touch them, some photos may have come.
    known = await store.find_visits(tx, [each.visit.visit_id for each in waiting])
    missing = [each for each in known.values() if each.status is VisitStatus.AWAITING_PHOTO]
    for each in missing:
        await _go_on(tx, deps, each, (*each.flags, "photo_missing"))
    return len(missing)


async def show_photo(tx: ReadTx, deps: Deps, visit_id: UUID, view: View) -> bytes:
    """The photo for whoever reviews the visit.

    Raises:
        NoSuchPhotoError: none, another village's, or its time is over.
    """
    found = (await store.find_visits(tx, [visit_id])).get(visit_id)
    kept = await photos.find_photo(tx, visit_id)
    if found is None or kept is None or kept[1] is None or not await _sees(tx, found, view):
        raise NoSuchPhotoError
    return deps.vault.open(kept[1], visit_id.bytes)


async def note_look(tx: WriteTx, deps: Deps, caller: Caller, visit_id: UUID, *, shown: bool) -> None:
    """Note who looked at a photo, or wanted to."""
    found = (await store.find_visits(tx, [visit_id])).get(visit_id)
    subject = found.subject if found else None
    seen = Reading(what=Seen.PHOTO, subject=subject, visit_id=visit_id, shown=shown)
    await looking.note(tx, deps, caller, [seen])


async def _go_on(tx: WriteTx, deps: Deps, found: StoredVisit, flags: tuple[str, ...]) -> StoredVisit:
    status = VisitStatus.IN_REVIEW if flags else VisitStatus.CONCLUDED
    await store.set_status(tx, found.visit.visit_id, status, flags)
    changed = replace(found, status=status, flags=flags)
    if status is VisitStatus.CONCLUDED:
        await take_effect(tx, deps, [changed])
    return changed


async def _sees(tx: ReadTx, found: StoredVisit, view: View) -> bool:
    task = (await tasks.find_tasks(tx, [found.visit.task_id]))[found.visit.task_id]
    return view.sees(division=task.division, grid_code=task.grid_code, worker_id=task.worker_id)

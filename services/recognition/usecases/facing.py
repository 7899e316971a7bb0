"""Self-certification by face: a nonce, the provider's signed word, a certificate. No picture comes here."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids
from joserfc import jws, jwt
from joserfc.errors import JoseError

from services.recognition.domain.certificates import Certificate, certificate_id
from services.recognition.domain.faces import Assertion, FaceState, refusal
from services.recognition.store import certificates, faces
from services.recognition.store.faces import FaceSession
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import announce, shard_of
from services.recognition.usecases.recognise import subject_of
from services.recognition.usecases.sightings import keep_sighting
from shared.contracts.vocabulary import Channel, Claim, Strength
from shared.kit.auth import ALGORITHMS, Keys
from shared.kit.clock import wall
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, MalformedError, NotFoundError, ProblemError

FACE_TYPE = "face+jwt"
_RULE = "face@1"
_LEEWAY = 5.0
_LONGEST = 600.0
_JTI = range(8, 129)


class NoFaceError(ConflictError):
    """No provider of face checks is connected."""

    code = "face_unavailable"


class TooManyTriesError(ProblemError):
    """Enough for a day: another way is better."""

    status = 429
    code = "too_many_tries"
    title = "Too many sessions today"


class SessionOverError(ConflictError):
    """The session has had its assertion, or its time."""

    code = "session_over"


class AssertionUsedError(ConflictError):
    """An assertion counts once."""

    code = "assertion_used"


class BadAssertionError(MalformedError):
    """Not signed by the provider, not for us, or out of time."""

    code = "assertion_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceProvider:
    """Whose word on faces counts here.

    Attributes:
        issuer: value of `iss`.
        audience: value of `aud`.
        keys: its public keys.
    """

    issuer: str
    audience: str
    keys: Keys

    async def claims(self, assertion: str) -> Mapping[str, Any]:
        """What a signed assertion says, once its signature, issuer, audience and times hold.

        Raises:
            BadAssertionError: something of it does not hold.
            UnavailableError: the provider's keys cannot be had.
        """
        try:
            header = jws.extract_compact(assertion.encode()).protected
            if header.get("typ") != FACE_TYPE or header.get("alg") not in ALGORITHMS:
                raise _bad()
            keys = await self.keys.get(header.get("kid"))
            claims = jwt.decode(assertion, keys, algorithms=ALGORITHMS).claims
            self._check(claims)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _bad() from error
        return claims

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = wall()
        issued, expires = float(claims["iat"]), float(claims["exp"])
        right = claims["iss"] == self.issuer and claims["aud"] == self.audience
        timely = issued <= now + _LEEWAY and now - _LEEWAY < expires <= issued + _LONGEST
        if not right or not timely or len(str(claims["jti"])) not in _JTI:
            raise _bad()


def _bad() -> BadAssertionError:
    return BadAssertionError("人脸核验结果无效或已过期，请重新发起，或改用其他方式办理。")


def read_assertion(deps: Deps, claims: Mapping[str, Any], subject: UUID) -> Assertion:
    """What an assertion says about one person; the id number in it is hashed and let go.

    Raises:
        BadAssertionError: a part is missing or of the wrong kind.
    """
    try:
        return Assertion(
            issuer=str(claims["iss"]),
            jti=str(claims["jti"]),
            nonce=str(claims["nonce"]),
            same_person=subject_of(deps, str(claims["citizen_id"])) == subject,
            score=float(claims["score"]),
            live=claims["live"] is True,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _bad() from error


async def open_session(deps: Deps, tx: WriteTx, subject: UUID, client_id: str, *, assisted: bool) -> FaceSession:
    """Open a session for one try.

    Raises:
        TooManyTriesError: enough for a day.
    """
    now = deps.clock.now()
    rule = deps.policies.on(deps.clock.today()).face
    await certificates.lock_shard(tx, shard_of(subject))
    if await faces.count_since(tx, subject, now - timedelta(days=1)) >= rule.sessions_a_day:
        detail = "今天尝试的次数较多，请明天再试，或改用其他方式办理。"
        raise TooManyTriesError(detail, headers={"Retry-After": "86400"})
    session = FaceSession(
        session_id=uuids.uuid7(),
        subject=subject,
        client_id=client_id,
        nonce=secrets.token_urlsafe(24),
        assisted=assisted,
        opened_at=now,
        expires_at=datetime.fromtimestamp(wall() + rule.session_seconds, UTC),
        state=FaceState.OPEN,
        refused_for=None,
        certificate_id=None,
    )
    await faces.add_session(tx, session)
    return session


async def get_session(tx: WriteTx, session_id: UUID, subject: UUID) -> FaceSession:
    """A session of the person, held until the end.

    Raises:
        NotFoundError: none, or somebody else's.
    """
    session = await faces.find_session(tx, session_id, subject)
    if session is None:
        detail = "没有查到您的这次人脸认证。"
        raise NotFoundError(detail)
    return session


async def finish(deps: Deps, tx: WriteTx, session_id: UUID, subject: UUID, assertion: Assertion) -> FaceSession:
    """Take the provider's word for a session: it certifies, or says why not. Session and assertion count once.

    Raises:
        NotFoundError: no such session of the person.
        SessionOverError: it was used, or its time is up.
        AssertionUsedError: the assertion was used before.
    """
    await certificates.lock_shard(tx, shard_of(subject))
    session = await get_session(tx, session_id, subject)
    now = deps.clock.now()
    if session.state is not FaceState.OPEN or wall() > session.expires_at.timestamp() + _LEEWAY:
        detail = "这次人脸认证已经结束，请重新发起，或改用其他方式办理。"
        raise SessionOverError(detail)
    if not await faces.use_assertion(tx, assertion.issuer, assertion.jti):
        detail = "这个核验结果已经用过，请重新发起，或改用其他方式办理。"
        raise AssertionUsedError(detail)
    rule = deps.policies.on(deps.clock.today()).face
    why = refusal(assertion, nonce=session.nonce, least_score=rule.least_score)
    certified = None if why else await _certify(deps, tx, subject, session_id)
    await faces.finish_session(
        tx,
        session_id,
        state=FaceState.REFUSED if why else FaceState.PASSED,
        refused_for=why,
        score=assertion.score,
        certificate_id=certified,
        at=now,
    )
    return await get_session(tx, session_id, subject)


async def _certify(deps: Deps, tx: WriteTx, subject: UUID, session_id: UUID) -> UUID:
    today = deps.clock.today()
    made = Certificate(
        certificate_id=certificate_id(subject, Claim.ALIVE, today, Channel.FACE),
        subject=subject,
        claim=Claim.ALIVE,
        as_of=today,
        channel=Channel.FACE,
        strength=Strength.STRONG,
        rule_set=_RULE,
        cap_months=None,
        evidence_ids=(),
        evidence_class=("in_person",),
    )
    # She stands before the camera now: whatever was taken back of today was taken back before.
    kept = await keep_sighting(deps, tx, made, origin=session_id, at=deps.clock.now())
    assert kept is not None
    await announce(deps, tx, [subject])
    return kept

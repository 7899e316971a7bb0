"""Clients of the token issuer: what they may be, and what a token of theirs says."""

from collections.abc import Mapping, Sequence
from typing import Any

USER_ROLES = frozenset({"officer", "citizen", "grid_worker", "grid_leader", "village", "operator", "auditor"})
"""Roles behind whose client named people stand: such a client may name one in its assertion (claim `user`)."""

CITIZEN = "citizen"


class ScopeError(ValueError):
    """A scope the client does not have."""


def granted(allowed: Sequence[str], asked: str | None) -> tuple[str, ...]:
    """Scopes of a token: those asked for, or all the client has.

    Raises:
        ScopeError: one of them is not the client's.
    """
    if not asked or not asked.split():
        return tuple(allowed)
    wanted = tuple(dict.fromkeys(asked.split()))
    if not set(wanted) <= set(allowed):
        raise ScopeError
    return wanted


def places(divisions: Sequence[str]) -> list[str]:
    """Division prefixes as tokens carry them: none means everywhere."""
    return [] if "*" in divisions else list(divisions)


class BadAssertionError(ValueError):
    """An assertion that does not prove who is asking; its message is safe to answer with."""


def check_assertion(
    claims: Mapping[str, Any], *, client_id: str, token_url: str, now: float, longest: float, leeway: float
) -> None:
    """Check what a client's assertion claims, beyond its signature (RFC 7523, section 3).

    Raises:
        BadAssertionError: not this client's, not for this endpoint, too old, too long-lived or without an id.
    """
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        msg = "iss and sub must both be the client_id"
        raise BadAssertionError(msg)
    # One value exactly: an assertion made for another endpoint as well could be replayed from there.
    if claims.get("aud") not in (token_url, [token_url]):
        msg = "aud must be the URL of this token endpoint, exactly"
        raise BadAssertionError(msg)
    _check_times(claims, now=now, longest=longest, leeway=leeway)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 8 <= len(jti) <= 128:  # noqa: PLR2004  (characters)
        msg = "jti must be a text of 8 to 128 characters, new each time"
        raise BadAssertionError(msg)


def _check_times(claims: Mapping[str, Any], *, now: float, longest: float, leeway: float) -> None:
    expires, begins = claims.get("exp"), claims.get("nbf", claims.get("iat", now))
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        msg = "exp must be a number, as must iat and nbf where given"
        raise BadAssertionError(msg)
    if expires <= now - leeway:
        msg = "the assertion has expired; sign a new one for each request"
        raise BadAssertionError(msg)
    if expires > now + longest + leeway:
        msg = f"an assertion may live {longest:.0f} seconds at most"
        raise BadAssertionError(msg)
    if begins > now + leeway:
        msg = "the assertion is not valid yet; check your clock"
        raise BadAssertionError(msg)

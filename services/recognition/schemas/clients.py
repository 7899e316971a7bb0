"""Shape of the clients file."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class ClientFile(BaseModel):
    """One client as the file lists it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: Annotated[str, Field(min_length=1, max_length=64)]
    role: str
    department: str | None = None
    scopes: tuple[str, ...]
    programs: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    certificates: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")], ...] = ()
    jwks: dict[str, list[dict[str, Any]]]

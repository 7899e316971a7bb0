"""The callers a local stack knows: one client a service, and one of each kind for the demo."""

from dataclasses import dataclass

SERVICES = ("ingest", "scoring", "grid", "recognition", "notify")
"""In the order of their ports."""

ALL_SCOPES = (
    "ingest.upload",
    "ingest.read",
    "ingest.reveal",
    "scoring.read",
    "scoring.manage",
    "recognition.check",
    "recognition.batch",
    "recognition.manage",
    "recognition.certify",
    "recognition.counter",
    "me.read",
    "me.write",
    "grid.work",
    "grid.manage",
    "grid.read",
    "notify.read",
    "notify.manage",
    "notify.village",
    "notify.webhooks",
    "audit.read",
    "operate",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCard:
    """What the token issuer is told about a client.

    Attributes:
        programs: codes of programs it may speak for; `*` is every one.
        divisions: prefixes of division codes it may see; empty is every one.
    """

    client_id: str
    role: str
    scopes: tuple[str, ...]
    department: str | None = None
    programs: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()


def service_client(service: str) -> str:
    """The client id of a service."""
    return f"service-{service}"


SERVICE_SCOPES = {
    "ingest": ("recognition.check",),
    "scoring": ("grid.read",),
    "grid": ("ingest.reveal", "scoring.read"),
    "recognition": (),
    "notify": ("operate", "recognition.check"),
}
"""What each service may ask the others, which is what it does ask: whoever takes one over gets no further with it."""


def service_cards() -> tuple[ClientCard, ...]:
    """The clients of the services; who is told of programs is told of all."""
    return tuple(
        ClientCard(
            client_id=service_client(service),
            role="service",
            scopes=scopes,
            programs=("*",) if "recognition.check" in scopes else (),
        )
        for service, scopes in SERVICE_SCOPES.items()
    )


DEMO = "demo-"
"""How the names of clients begin that are known where the demo is, and nowhere else."""

_DEMO = (
    ClientCard(client_id="demo-operator", role="operator", scopes=ALL_SCOPES, programs=("*",)),
    ClientCard(
        client_id="demo-department", role="department", department="medins", scopes=("ingest.upload", "ingest.read")
    ),
    ClientCard(
        client_id="demo-partner",
        role="partner",
        department="hrss",
        scopes=("recognition.check", "recognition.batch", "recognition.certify", "notify.webhooks"),
        programs=("resident_pension", "sandbox_pension"),
    ),
    ClientCard(
        client_id="demo-mobile",
        role="citizen",
        department="data_bureau",
        scopes=("me.read", "me.write", "grid.work", "grid.read", "notify.read"),
        programs=("*",),
    ),
    ClientCard(
        client_id="demo-officer",
        role="officer",
        department="hrss",
        scopes=(
            "recognition.check",
            "recognition.manage",
            "recognition.counter",
            "grid.read",
            "grid.manage",
            "scoring.read",
            "notify.read",
        ),
        programs=("resident_pension",),
    ),
    ClientCard(
        client_id="demo-analyst",
        role="officer",
        department="data_bureau",
        scopes=("scoring.read", "scoring.manage"),
    ),
    ClientCard(client_id="demo-auditor", role="auditor", scopes=("audit.read", "ingest.read"), programs=("*",)),
)

DEMO_NAMES = tuple(card.client_id for card in _DEMO)
NAMED = {"demo-officer": "officer-zhao", "demo-analyst": "analyst-qian"}
"""Invented people behind clients of named persons: officers' routes ask who acts."""

CLIENTS: tuple[ClientCard, ...] = (*service_cards(), *_DEMO)
"""Every client of a local stack."""

INSTALLED: tuple[ClientCard, ...] = (
    *service_cards(),
    ClientCard(client_id="operator", role="operator", scopes=("operate",), programs=("*",)),
)
"""Those of an installation: unlike the demo's, its operator may do no more than operate."""

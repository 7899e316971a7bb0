"""Classes of evidence: all that a citizen or partner ever learns of where a certification came from."""

from dataclasses import dataclass

from shared.contracts.names import DEPARTMENTS, EVIDENCE_CLASSES, SOURCES


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceClass:
    """A class wide enough to hide place and illness; how it is called stands in `shared.contracts.names`."""

    code: str
    departments: frozenset[str]


CLASSES = (
    EvidenceClass(code="medical", departments=frozenset({"medins", "health"})),
    EvidenceClass(code="travel", departments=frozenset({"transport", "rail", "air", "culture_tourism"})),
    EvidenceClass(code="care", departments=frozenset({"civil", "cdpf", "veterans", "rural"})),
    EvidenceClass(code="finance", departments=frozenset({"bank", "tax", "hpf", "finance"})),
    EvidenceClass(code="communication", departments=frozenset({"telecom"})),
    EvidenceClass(code="in_person", departments=frozenset()),
)
OTHER = len(CLASSES) - 1


def class_of(department: str) -> int:
    """Position in `CLASSES` of what a department delivers."""
    return next((place for place, each in enumerate(CLASSES) if department in each.departments), OTHER)


def codes_of(bits: int) -> list[str]:
    """Codes in a bit set of classes."""
    return [each.code for place, each in enumerate(CLASSES) if bits >> place & 1]


def labels_of(bits: int) -> list[str]:
    """Chinese labels in a bit set of classes."""
    return [EVIDENCE_CLASSES[each.code] for place, each in enumerate(CLASSES) if bits >> place & 1]


def department_label(department: str) -> str:
    """Chinese name of a department, or its slug where it is new."""
    return DEPARTMENTS.get(department, department)


def source_label(source: str) -> str:
    """Chinese name of a source, or its code where it is new."""
    return SOURCES.get(source, source)

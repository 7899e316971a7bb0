"""Classes of evidence: all that a citizen or partner ever learns of where a certification came from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceClass:
    """A class wide enough to hide place and illness; `label` is how a citizen reads it."""

    code: str
    label: str
    departments: frozenset[str]


CLASSES = (
    EvidenceClass(code="medical", label="就医与健康服务", departments=frozenset({"medins", "health"})),
    EvidenceClass(code="travel", label="出行", departments=frozenset({"transport", "rail", "air", "culture_tourism"})),
    EvidenceClass(code="care", label="养老与社会服务", departments=frozenset({"civil", "cdpf", "veterans", "rural"})),
    EvidenceClass(code="finance", label="金融与缴费", departments=frozenset({"bank", "tax", "hpf", "finance"})),
    EvidenceClass(code="communication", label="通信", departments=frozenset({"telecom"})),
    EvidenceClass(code="in_person", label="本人办事", departments=frozenset()),
)
OTHER = len(CLASSES) - 1

DEPARTMENT_LABELS = {
    "hrss": "人社局",
    "data_bureau": "数据资源管理局",
    "medins": "医保局",
    "health": "卫健委",
    "civil": "民政局",
    "police": "公安局",
    "transport": "交通运输局",
    "rail": "铁路部门",
    "air": "民航部门",
    "culture_tourism": "文化和旅游局",
    "justice": "司法局",
    "court": "中级人民法院",
    "prison": "省监狱管理局",
    "veterans": "退役军人局",
    "cdpf": "残疾人联合会",
    "hpf": "公积金中心",
    "natres": "自然资源局",
    "housing": "住建局",
    "tax": "税务局",
    "market": "市场监管局",
    "agri": "农业农村局",
    "rural": "乡村振兴局",
    "edu": "教育局",
    "finance": "财政局",
    "bank": "人民银行及合作银行",
    "telecom": "通信管理办及运营商",
}


def class_of(department: str) -> int:
    """Position in `CLASSES` of what a department delivers."""
    return next((place for place, each in enumerate(CLASSES) if department in each.departments), OTHER)


def codes_of(bits: int) -> list[str]:
    """Codes in a bit set of classes."""
    return [each.code for place, each in enumerate(CLASSES) if bits >> place & 1]


def labels_of(bits: int) -> list[str]:
    """Chinese labels in a bit set of classes."""
    return [each.label for place, each in enumerate(CLASSES) if bits >> place & 1]


def department_label(department: str) -> str:
    """Chinese name of a department, or its slug where it is new."""
    return DEPARTMENT_LABELS.get(department, department)

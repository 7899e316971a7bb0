"""What departments and classes of evidence are called in Chinese: every service says it in the same words.

A new department is one more line here; until it has one, its slug reads as the caller decides.
"""

from collections.abc import Mapping
from typing import Final

DEPARTMENTS: Final[Mapping[str, str]] = {
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
    "organization": "组织部",
    "water": "水利局",
}

EVIDENCE_CLASSES: Final[Mapping[str, str]] = {
    "medical": "就医与健康服务",
    "travel": "出行",
    "care": "养老与社会服务",
    "finance": "金融与缴费",
    "communication": "通信",
    "in_person": "本人办事",
}
"""Wide enough to hide place and illness: all a citizen or partner ever learns of where a certification came from."""

"""`docs/settings.md`: every variable a service can be told, as its settings declare it."""

from importlib import import_module

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from services.notify import channels
from shared.kit.settings import KitSettings

_HEAD = """# Settings

Recorded by `make schema`. By environment, each process its own; `wugan up` passes its own environment on to all services. For
the compose file in `deploy/secrets/<service>.env`, in a cluster in the secret `wugan-<service>-settings`. A variable
without a default is needed.
"""
_TABLE = "\n| variable | default | what it is |\n| --- | --- | --- |\n"


def settings_page(services: tuple[str, ...]) -> str:
    """The page, those of every service first."""
    parts = [_HEAD, _part("Every service", KitSettings, frozenset())]
    shared = frozenset(KitSettings.model_fields)
    parts += [_part(each, import_module(f"services.{each}.app").SERVICE.settings, shared) for each in services]
    parts += [
        _part(f"notify: {code}", found.settings, frozenset()) for code, found in sorted(channels.discover().items())
    ]
    return "".join(part for part in parts if part)


def _part(title: str, kind: type[BaseSettings], without: frozenset[str]) -> str:
    prefix = str(kind.model_config.get("env_prefix", ""))
    rows = [_row(prefix, name, field) for name, field in kind.model_fields.items() if name not in without]
    return f"\n## {title}\n{_TABLE}" + "".join(rows) if rows else ""


def _row(prefix: str, name: str, field: FieldInfo) -> str:
    variable = str(field.validation_alias or f"{prefix}{name}".upper())
    return f"| `{variable}` | {_default(field)} | {(field.description or '').replace('|', chr(92) + '|')} |\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "needed" if field.is_required() else ""
    if value is None or value in ("", ()) or isinstance(value, SecretStr):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"

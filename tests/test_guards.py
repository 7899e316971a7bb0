"""What a linter cannot say: the house rules that hold over all services."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from shared.kit import migrations, schema
from tests.support.record import OPENAPI_DIR, SERVICES, SETTINGS_PAGE, dumps, openapi
from tests.support.routes import app_of, routes_of
from tests.support.settings_page import settings_page

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "/livez",
    "/readyz",
    "/metrics",
    "/oauth/token",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
}
ROOMS = {
    "__init__", "__main__", "app", "settings", "api", "handlers", "jobs", "schemas", "usecases", "domain", "store",
    "tables", "migrations", "sources", "policies", "programs", "channels", "templates",
}  # fmt: skip


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _forget_the_trees():
    yield
    tree_of.cache_clear()


def calls_of(path: Path, names: set[str]) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names
    ]


def test_only_the_kit_commits():
    allowed = {ROOT / "shared/kit/db.py", ROOT / "shared/kit/migrations.py"}
    found = [f"{path}:{line}" for path in python_files("services", "shared") if path not in allowed
             for line in calls_of(path, {"commit", "rollback"})]  # fmt: skip
    assert not found


def openings(tree: ast.AST) -> list[int]:
    """Lines that get hold of a transaction or of a connection to open one on, called at once or under another name."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner = ast.unparse(node.value).rsplit(".", 1)[-1].lower()
        of_database = any(word in owner for word in ("database", "engine", "driver", "pool")) or owner in {"db", "_db"}
        if node.attr in ALWAYS_OPENS or (of_database and node.attr in DATABASE_OPENS):
            found.append(node.lineno)
    bare = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in {"read", "write"} and not node.args and not node.keywords
    ]
    return sorted({*found, *bare})


ALWAYS_OPENS = {"begin", "begin_nested", "transaction"}
DATABASE_OPENS = {"read", "write", "at_once", "connect", "acquire"}


def test_use_cases_never_open_a_transaction():
    found = [
        f"{path}:{line}"
        for path in python_files("services")
        if "usecases" in path.parts or path.name == "usecases.py"
        for line in openings(tree_of(path))
    ]
    assert not found


@pytest.mark.parametrize(
    ("code", "opens"),
    [
        ("async with deps.database.write() as tx: ...", True),
        ("async with self._database.read() as tx: ...", True),
        ("open_one = deps.platform.database.write", True),
        ("async with db.write() as tx: ...", True),
        ("async with store.write() as tx: ...", True),
        ("async with database.engine.begin() as connection: ...", True),
        ("async with (await tx.driver()).transaction(): ...", True),
        ("async with connection.begin_nested(): ...", True),
        ("await deps.database.at_once('DELETE FROM task')", True),
        ("rows = await feed.read(tx, asker, after=0)", False),
        ("text = KINDS['date'].read(at.isoformat())", False),
        ("await letters.write(tx, rows)", False),
        ("rows = await tx.fetch('SELECT 1')", False),
    ],
)
def test_a_transaction_is_recognised_however_it_is_opened(code, opens):
    nested = f"async def usecase():\n    {code}"
    assert bool(openings(ast.parse(nested))) is opens


@pytest.mark.parametrize("service", SERVICES)
def test_rooms_have_their_names(service):
    inside = {path.stem for path in (ROOT / "services" / service).iterdir() if path.name != "__pycache__"}
    assert {each for each in inside if not each.startswith(".")} <= ROOMS
    assert {
        "app",
        "settings",
        "api",
        "handlers",
        "schemas",
        "usecases",
        "domain",
        "store",
        "tables",
        "migrations",
    } <= inside


@pytest.mark.parametrize("service", SERVICES)
def test_the_card_says_what_the_service_is(service):
    card = import_module(f"services.{service}").__doc__ or ""
    for word in ("owns", "hears", "says", "answers"):
        assert word in card.lower(), f"the docstring of services.{service} lacks «{word}»"


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_names_its_caller(service):
    found = routes_of(service)
    assert len(found) > 10, "no routes were found to be looked at"
    assert not [str(each) for each in found if each.guard is None and each.path not in PUBLIC]


@pytest.mark.parametrize("service", SERVICES)
def test_no_person_in_a_path_or_query(service):
    for path, methods in app_of(service).openapi()["paths"].items():
        for method in methods.values():
            names = {each["name"] for each in method.get("parameters", []) if each["in"] in {"path", "query"}}
            assert not names & {"citizen_id", "id_no", "name", "phone"}, path


@pytest.mark.parametrize("service", SERVICES)
def test_one_migration_head(service):
    assert ScriptDirectory.from_config(migrations._config(service)).get_heads() == [schema.head(service)]


def test_settings_are_as_recorded():
    assert SETTINGS_PAGE.read_text(encoding="utf-8") == settings_page(SERVICES), "record the change with `make schema`"


@pytest.mark.parametrize("service", SERVICES)
def test_the_http_contract_is_as_recorded(service):
    recorded = (OPENAPI_DIR / f"{service}.json").read_text(encoding="utf-8")
    assert dumps(openapi(service)) == recorded, "record the change with `make schema`"


def test_modules_introduce_themselves_and_files_are_short():
    silent, long = [], []
    for path in python_files("services", "shared", "deploy"):
        text = path.read_text(encoding="utf-8")
        if text.strip() and not ast.get_docstring(tree_of(path)):
            silent.append(str(path))
        if text.count("\n") > 400:
            long.append(str(path))
    assert not silent
    assert not long


def test_every_decision_has_a_number_of_its_own():
    pages = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:4]} "), page.name

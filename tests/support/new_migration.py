"""`make migrate s=ingest m="what it does"`: the next numbered migration of one service, on its newest head."""

import re
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.record import SERVICES

ROOT = Path(__file__).parents[2]
_WORDS = 4  # of a file name
_TEXT = '''"""{text}"""

from alembic import op

revision = "{service}_{number:04}"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("")


def downgrade() -> None:
    op.execute("")
'''


def new_migration(service: str, text: str, root: Path = ROOT) -> Path:
    """Write it; returns the file, in which the statements are still to be put.

    Raises:
        ValueError: there is no such service, nothing is said of what it does, or there are two heads.
    """
    words = re.findall(r"[a-z0-9]+", text.lower())
    if service not in SERVICES or not words:
        msg = (
            f'say a service ({", ".join(SERVICES)}) and in English what it does: make migrate s=ingest m="Keep hints."'
        )
        raise ValueError(msg)
    folder = root / "services" / service / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    heads = ScriptDirectory.from_config(config).get_heads()
    if len(heads) != 1:
        msg = f"{service} has the heads {', '.join(heads)}: make them one first"
        raise ValueError(msg)
    number = int(heads[0].rpartition("_")[2]) + 1
    path = folder / "versions" / f"{number:04}_{'_'.join(words[:_WORDS])}.py"
    sentence = text.strip().rstrip(".") + "."
    path.write_text(
        _TEXT.format(text=sentence.replace('"', "'"), service=service, number=number, head=heads[0]), encoding="utf-8"
    )
    return path


def main() -> int:
    """The command line."""
    try:
        service, text, *_ = [*sys.argv[1:], "", ""]
        path = new_migration(service, text)
    except ValueError as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())

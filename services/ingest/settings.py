"""Settings of ingest: limits of what is taken in, and where raw files are kept."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.kit.settings import SubjectKeySettings, VaultSettings

_MIB = 1 << 20


class Pull(BaseModel):
    """A folder or bucket from which files of a source are fetched, or rosters of a program, the oldest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = ""
    program: str = ""
    department: str = Field(default="", description="of a program: whose rosters these are")
    mode: Literal["full", "delta"] = Field(default="delta", description="of a program: full ends whoever is not in one")
    url: str = Field(description="fsspec URL, e.g. file:///srv/medins or s3://bucket/medins")
    every_seconds: Annotated[float, Field(ge=1)] = 300.0

    @property
    def code(self) -> str:
        """Of the source or the program."""
        return self.source or self.program

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.source) == bool(self.program) or bool(self.program) != bool(self.department):
            msg = "name a source, or a program and its department"
            raise ValueError(msg)
        return self


class IngestSettings(SubjectKeySettings, VaultSettings):
    """Environment `WUGAN_INGEST_…`, and the key of name comparison."""

    name_key: SecretStr | None = Field(default=None, description="hex, 32 bytes; default: derived from the subject key")
    ingest_raw_url: str = Field(
        default="", description="fsspec URL for raw files; default: a folder in the data folder"
    )
    ingest_chunk_rows: Annotated[int, Field(ge=1_000, le=2_000_000)] = 300_000
    ingest_max_upload_bytes: Annotated[int, Field(ge=1)] = 2048 * _MIB
    ingest_max_plain_bytes: Annotated[int, Field(ge=1)] = 8192 * _MIB
    ingest_max_ratio: Annotated[int, Field(ge=10)] = Field(default=200, description="unpacked : packed, against bombs")
    ingest_max_columns: Annotated[int, Field(ge=1)] = 200
    ingest_max_line_bytes: Annotated[int, Field(ge=1_000)] = 65_536
    ingest_max_cell_bytes: Annotated[int, Field(ge=100)] = Field(
        default=4096, description="of Parquet; cells of text are within the bound of its lines"
    )
    ingest_max_sheet_bytes: Annotated[int, Field(ge=1)] = Field(
        default=400 * _MIB, description="unpacked XLSX, and what its cells take"
    )
    ingest_window_months: Annotated[int, Field(ge=1, le=60)] = 12
    ingest_stop_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="share of faulty rows beyond which a batch is held before it says anything"
    )
    ingest_stop_rows: Annotated[int, Field(ge=1)] = Field(
        default=20, description="fewer faulty rows than this never hold a batch"
    )
    ingest_files_at_once: Annotated[int, Field(ge=1, le=16)] = 2
    ingest_pulls: tuple[Pull, ...] = Field(
        default=(),
        description='JSON: [{"source": …, "url": …, "every_seconds": …}, {"program": …, "department": …, "url": …}]',
    )
    ingest_watch_seconds: Annotated[float, Field(gt=0)] = 300.0
    ingest_quality_days: Annotated[int, Field(ge=1, le=366)] = Field(default=30, description="span of quality figures")
    ingest_roster_months: Annotated[int, Field(ge=1, le=240)] = Field(default=24, description="rosters' files are kept")
    ingest_end_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.2, description="share of enrolments a full roster may end without a second look"
    )
    ingest_resume_seconds: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="between looks for batches whose process died"
    )
    ingest_resume_tries: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="a file that ends its process each time is left to its sender"
    )
    ingest_hint_candidates: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=20, description="people a record without an id may mean; one that may mean more tells nothing"
    )
    ingest_correction_days: Annotated[int, Field(ge=1, le=90)] = Field(
        default=10, description="working days in which a department is to answer a correction; our own figure"
    )

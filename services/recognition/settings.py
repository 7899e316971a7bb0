"""Settings of recognition beside those of the kit."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.kit.settings import SubjectKeySettings, VaultSettings


class RecognitionSettings(SubjectKeySettings, VaultSettings):
    """The built-in token issuer works when both of its files are named; otherwise an outside issuer's keys count."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_", extra="ignore", frozen=True, populate_by_name=True)

    recognition_clients_file: Path | None = Field(
        default=None, validation_alias="WUGAN_CLIENTS_FILE", description="JSON list of clients the issuer knows"
    )
    recognition_issuer_key_file: Path | None = Field(
        default=None, validation_alias="WUGAN_ISSUER_KEY_FILE", description="private key (P-256) that signs tokens"
    )
    recognition_token_seconds: Annotated[int, Field(ge=60, le=900)] = 600
    recognition_batch_limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    recognition_face_issuer: str | None = Field(default=None, description="`iss` of the provider of face checks")
    recognition_face_jwks_url: str | None = Field(default=None, description="where its public keys are")
    recognition_face_audience: str = Field(default="wugan", description="`aud` its assertions must have")
    recognition_notice_days: Annotated[int, Field(ge=1, le=90, description="from a notice to the stop")] = 30
    recognition_files_url: str = Field(
        default="", description="fsspec URL for lists and results of jobs; default: a folder in the data folder"
    )
    recognition_list_bytes: Annotated[int, Field(ge=1024)] = 512 * 2**20
    recognition_list_lines: Annotated[int, Field(ge=1)] = 5_000_000
    recognition_open_jobs: Annotated[int, Field(ge=1, description="one client may have under way")] = 8
    recognition_result_hours: Annotated[int, Field(ge=1, description="a result file is kept")] = 72
    recognition_confirm_days: Annotated[int, Field(ge=1, description="an advised pay list may be confirmed")] = 92
    recognition_chase_hours: Annotated[int, Field(ge=1, description="until an unanswered event is told again")] = 24
    recognition_plain_webhooks: bool = Field(
        default=False, description="http endpoints too: for a machine of one's own"
    )
    recognition_audit_key: SecretStr | None = Field(
        default=None,
        description="hex, 32 to 64 bytes, kept away from the database: chains the usage log",
    )
    # A process answers about 1,500 single questions a second (docs/benchmarks.md): four clients at their limits, and a
    # fifth still finds room. Whoever asks about many people has batches, jobs and pay lists.
    recognition_requests_per_second: Annotated[float, Field(gt=0, description="of one client, in each process")] = 300
    recognition_burst: Annotated[int, Field(ge=1, description="requests of one client at once")] = 600
    # Nobody presses so many buttons; whoever reads the data of citizens by one officer's token does.
    recognition_person_requests_per_second: Annotated[
        float, Field(gt=0, description="of one citizen, officer or auditor, in each process")
    ] = 20
    recognition_person_burst: Annotated[int, Field(ge=1, description="requests of one person at once")] = 200
    # A mobile back end fetches one for each citizen who comes, all from one address.
    recognition_tokens_per_second: Annotated[float, Field(gt=0, description="of one address, in each process")] = 200
    recognition_tokens_burst: Annotated[int, Field(ge=1, description="requests for tokens at once")] = 2000
    recognition_people_per_day: Annotated[int, Field(ge=1, description="one client may ask for")] = 10_000_000

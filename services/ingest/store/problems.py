"""Why a file cannot be taken in, in sentences a department can act on."""

from shared.kit.problems import ProblemError


class UnreadableFileError(ProblemError):
    """The file is not what it should be; nothing of it was kept."""

    status = 422
    code = "unreadable_file"
    title = "The file cannot be read"


class MissingColumnsError(UnreadableFileError):
    """Columns this source needs are not there."""

    code = "missing_columns"
    title = "The file lacks columns"


class FileTooLargeError(ProblemError):
    """Beyond the limits of the settings."""

    status = 413
    code = "file_too_large"
    title = "The file is larger than this service takes"


class KeptFileBrokenError(ProblemError):
    """A file of the raw store does not open: damaged, cut off, or sealed with a key that is no longer there."""

    status = 500
    code = "kept_file_broken"
    title = "The kept file cannot be opened"


class StorageFullError(ProblemError):
    """The raw store took no more."""

    status = 507
    code = "storage_full"
    title = "There is no room to keep the file"

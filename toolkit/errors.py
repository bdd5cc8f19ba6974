"""Every error that Limner raises on purpose; each message is one sentence a designer can act on.

    LimnerError
    ├── RequestError         the request can't be drawn as it is; names its field and what would be right
    │   └── NotAdmitted      the request is fine, but this visitor may not queue it now
    ├── ModelError           a model is missing, damaged or of a kind the studio can't use
    ├── StorageError         a picture, the database or a folder can't be written or read
    ├── MetadataError        a picture carries no settings, or settings that can't be trusted
    ├── SettingsError        settings.toml, an environment variable or a flag holds a wrong value
    ├── PluginError          a plugin is missing, damaged, or not allowed
    ├── InstallError         the packages can't be installed
    ├── EngineError          the engine failed a job, or stopped
    └── Cancelled            somebody asked for the job to stop
"""

from __future__ import annotations


class LimnerError(Exception):
    """Base of all errors that are meant for a person; `str(error)` is the whole message."""


class RequestError(LimnerError):
    """A request can't be drawn as it is.

    `field` is the dotted name of the request's field ("size", "sampling.steps"), so a page can mark it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotAdmitted(RequestError):
    """The request is fine, but this person may not queue it now; `retry_after` is in seconds, None if never."""

    def __init__(self, field: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(field, message)
        self.retry_after = retry_after


class ModelError(LimnerError):
    """A model is missing, damaged or of a kind the studio can't use."""


class StorageError(LimnerError):
    """A picture, the database or a folder can't be written or read."""


class MetadataError(LimnerError):
    """A picture carries no settings, or settings that can't be trusted."""


class SettingsError(LimnerError):
    """A settings file, environment variable or flag holds a wrong value."""


class PluginError(LimnerError):
    """A plugin is missing, damaged, or not allowed; says what would help."""


class InstallError(LimnerError):
    """The packages can't be installed; says what to do before the next start."""


class EngineError(LimnerError):
    """The engine failed a job, or stopped."""


class Cancelled(LimnerError):
    """Somebody asked for the job to stop."""

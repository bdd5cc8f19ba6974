"""Limner's studio without a screen: a request goes in, a job runs it, pictures come out.

The names below are the public ones. They are loaded when first used, so that `import toolkit` needs nothing but the
standard library: the launcher imports its commands from here before any package is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Studio": "studio",
    "Job": "studio",
    "GenerationRequest": "request",
    "Sampling": "request",
    "Written": "request",
    "Size": "geometry",
    "GeneratedImage": "jobs",
    "JobEvent": "jobs",
    "JobState": "jobs",
    "Who": "jobs",
    "OWNER": "jobs",
    "LimnerError": "errors",
    "RequestError": "errors",
    "NotAdmitted": "errors",
    "ModelError": "errors",
    "StorageError": "errors",
    "MetadataError": "errors",
    "SettingsError": "errors",
    "PluginError": "errors",
    "EngineError": "errors",
    "Cancelled": "errors",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from toolkit.errors import (
        Cancelled,
        EngineError,
        LimnerError,
        MetadataError,
        ModelError,
        NotAdmitted,
        PluginError,
        RequestError,
        SettingsError,
        StorageError,
    )
    from toolkit.geometry import Size
    from toolkit.jobs import OWNER, GeneratedImage, JobEvent, JobState, Who
    from toolkit.request import GenerationRequest, Sampling, Written
    from toolkit.studio import Job, Studio


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    return getattr(import_module(f"toolkit.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

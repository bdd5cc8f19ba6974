"""A plugin as the studio knows it: where it lies, what it says of itself, and how it fares."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from toolkit.plugins.manifest import Manifest

ERRORS_ALLOWED = 3


class State(str, Enum):
    """`found` waits for the owner's permission, `changed` for it again; `incompatible` is made for another API."""

    FOUND = "found"
    DISABLED = "disabled"
    CHANGED = "changed"
    INCOMPATIBLE = "incompatible"
    FAILED = "failed"
    ACTIVE = "active"


class Source(str, Enum):
    """Where a plugin comes from, which is also the order in which they are loaded."""

    BUNDLED = "bundled"
    ADDED = "added"
    GIVEN = "given"
    INSTALLED = "installed"


@dataclass(slots=True)
class Plugin:
    """`provides` names what it gave, "postprocessor grain" each; `traceback` is for the owner's eyes only."""

    name: str
    path: Path
    source: Source
    manifest: Manifest = field(default_factory=Manifest)
    module: str = ""
    state: State = State.FOUND
    reason: str = ""
    traceback: str = ""
    provides: list[str] = field(default_factory=list)
    seconds: float = 0.0
    errors: int = 0
    sha256: str = ""

    @property
    def title(self) -> str:
        return self.manifest.title or self.name

    @property
    def rank(self) -> tuple[int, int, str]:
        """Plugins are asked in this order: the manifest's, then where they come from, then by name."""
        return (self.manifest.order, list(Source).index(self.source), self.name)

    def fail(self, reason: str, traceback: str = "") -> None:
        self.state, self.reason, self.traceback = State.FAILED, reason, traceback

    def to_dict(self) -> dict[str, Any]:
        """What `plugins list --json` prints of it."""
        return {
            "name": self.name,
            "state": self.state.value,
            "reason": self.reason,
            "provides": list(self.provides),
            "seconds": round(self.seconds, 4),
            "version": self.manifest.version,
        }


def sentence(error: BaseException) -> str:
    """What a plugin raised, in one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

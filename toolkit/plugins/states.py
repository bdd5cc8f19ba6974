"""A plugin as the studio knows it: where it lies, what it says of itself, and how it fares."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from toolkit.errors import LimnerError
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


def sentence(error: BaseException, folder: Path | None = None) -> str:
    """What a plugin raised, in one line, with the place in the plugin's `folder` where it came from."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, LimnerError) and text:
        return text
    missing = (getattr(error, "name", None) or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    where = _place(error, folder) if folder is not None else ""
    if missing and missing not in sys.stdlib_module_names and missing != "limner_plugins":
        return (
            f"It needs the package “{missing}”, which isn't installed{where}: install it, and name what pip calls "
            f"it under “requires” in plugin.toml."
        )
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def _place(error: BaseException, folder: Path) -> str:
    """The last line of the plugin's own on the way to an error, " (finish.py, line 12)"; "" for none."""
    if isinstance(error, SyntaxError):
        return ""  # it says so itself
    where, trace, folder = "", error.__traceback__, folder.absolute()
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder):
            where = f" ({file.relative_to(folder).as_posix()}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return where

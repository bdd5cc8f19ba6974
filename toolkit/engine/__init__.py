"""The engines: everything that draws. Only this folder knows torch and diffusers; importing it loads neither."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import EngineError

if TYPE_CHECKING:
    from toolkit.engine.protocol import Engine
    from toolkit.models import ModelIndex
    from toolkit.plugins.plugins import Plugins

KINDS = ("inline", "process", "sketch")


def open_engine(
    kind: str, *, models: ModelIndex, dtype: str = "auto", data: Path, plugins: Plugins | None = None,
    attention: str = "auto",
) -> Engine:  # fmt: skip
    """An engine that is not started yet; nothing heavy is imported before `start`.

    inline draws on threads of this process, process in a process of its own, sketch without a model at all.
    """
    if kind == "inline":
        from toolkit.engine.inline import InlineEngine

        return InlineEngine(models, dtype=dtype, plugins=plugins, attention=attention)
    if kind == "process":
        from toolkit.engine.process import ProcessEngine

        return ProcessEngine(models, dtype=dtype, data=data, plugins=plugins, attention=attention)
    if kind == "sketch":
        from toolkit.engine.sketch import SketchEngine

        return SketchEngine(models, plugins=plugins)
    raise EngineError(f"There is no engine called “{kind}”. There are {', '.join(KINDS)}.")

"""The table of commands: what `launch.py NAME` runs, and which packages it needs first.

A command is a module with `HELP` (one line), `add_arguments(parser)` and `run(args, settings) -> exit code`; it may
have `check(args, environ)`, which refuses wrong flags before anything is installed. At import it uses the standard
library only, so that `--help` works on a bare Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Mapping


@dataclass(frozen=True)
class Command:
    """Where a command lives, which parts of the environment it needs ("page", "engine", "dev"), and if settings."""

    module: str
    needs: tuple[str, ...] = ()
    settings: bool = True

    def load(self) -> ModuleType:
        return import_module(self.module)


COMMANDS: Mapping[str, Command] = {
    "serve": Command("toolkit.commands.serve", ("page",)),
    "generate": Command("toolkit.commands.generate", ("engine",)),
    "models": Command("toolkit.commands.models", ("page",)),
    "plugins": Command("toolkit.commands.plugins", ("page",)),
    "doctor": Command("toolkit.commands.doctor"),
    "test": Command("toolkit.commands.test", settings=False),
    "bench": Command("toolkit.commands.bench", ("engine",)),
    "starter": Command("toolkit.commands.starter", ("engine",)),
}

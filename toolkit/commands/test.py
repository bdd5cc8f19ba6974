"""`launch.py test`: runs the tests with pytest, after their packages are in."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from toolkit.environment import ROOT, become
from toolkit.errors import SettingsError

if TYPE_CHECKING:
    from toolkit.settings import Settings

HELP = "run the tests: all of them, or the layers named (unit, engine, webui, e2e, …), with any flags of pytest"

# Layers that need neither torch nor the other packages that draw.
_LIGHT = {"unit"}
# Two files at a time: most tests wait, for processes to start and pages to draw, and networks this small use one core.
_TOGETHER = ("-n", "2", "--dist", "loadfile")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "launch.py test [LAYER …] [flags and paths for pytest …]"
    parser.epilog = f"Layers: {', '.join(layers())}. What follows goes to pytest as it is."


def layers(root: Path = ROOT) -> list[str]:
    """The folders in `tests/` that hold tests."""
    folders = (root / "tests").glob("*/")
    return sorted(folder.name for folder in folders if any(folder.glob("**/test_*.py")))


def needs(args: argparse.Namespace) -> tuple[str, ...]:
    chosen, _ = divide(args.rest)
    return ("dev",) if chosen and set(chosen) <= _LIGHT else ("engine", "dev")


def divide(rest: Sequence[str]) -> tuple[list[str], list[str]]:
    """The layers that `rest` begins with, and everything after them; SettingsError for a word that is neither."""
    known, chosen, words = layers(), [], list(rest)
    while words and not words[0].startswith("-"):
        word = words[0]
        if word not in known:
            if not Path(word.split("::")[0]).exists():
                raise SettingsError(f"There are no tests “{word}”: the layers are {', '.join(known)}.")
            break
        chosen.append(words.pop(0))
    return chosen, words


def run(args: argparse.Namespace, settings: Settings | None) -> int:
    # The tests bring their own settings: those of the person who runs them must not change the outcome.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LIMNER_")}
    if not args.rest:
        environ["OMP_NUM_THREADS"] = "1"
    return become([sys.executable, "-m", "pytest", *arguments(args.rest)], environ)


def arguments(rest: Sequence[str]) -> list[str]:
    """What pytest is called with for the words after `test`."""
    chosen, others = divide(rest)
    together = () if rest else _TOGETHER
    paths = [str(ROOT / "tests" / layer) for layer in chosen] or ([] if _has_path(others) else [str(ROOT / "tests")])
    return [f"--rootdir={ROOT}", "-c", str(ROOT / "pyproject.toml"), *together, *paths, *others]


def _has_path(words: Sequence[str]) -> bool:
    return any(not word.startswith("-") and Path(word.split("::")[0]).exists() for word in words)

"""docs/plugins.md: the reference is that of the code, and the tutorial works as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT, Launch
from toolkit.finishing import FinishStep
from toolkit.metadata import read_settings
from toolkit.plugins import hookspecs
from toolkit.plugins.reference import PAGE, with_reference


def test_the_reference_is_current() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_reference(page), "run `python -m toolkit.plugins.reference`"


@pytest.mark.parametrize("hook", [name for name, spec in vars(hookspecs).items() if hasattr(spec, "limner_spec")])
def test_every_hook_is_on_the_page(hook: str) -> None:
    assert f"\n### {hook}\n" in PAGE.read_text("utf-8")


def test_the_tutorial_makes_a_working_plugin(launch: Launch, tmp_path: Path, load_plugin, finish) -> None:
    page = PAGE.read_text("utf-8")
    source = next(block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "Film grain" in block)
    assert launch("plugins", "new", "film_grain", "--kind", "finish", "--in", str(tmp_path)).returncode == 0
    (tmp_path / "film_grain" / "__init__.py").write_text(textwrap.dedent(source), "utf-8")
    checked = launch("plugins", "check", str(tmp_path / "film_grain"), timeout=200)
    assert checked.returncode == 0, checked.stdout
    load_plugin(tmp_path / "film_grain")
    gray = Image.new("RGB", (64, 64), (128, 128, 128))
    first, again, other = (finish("film_grain", gray, seed=seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert len(source.strip().splitlines()) <= 22


def test_the_tutorials_last_step_draws_with_the_plugin(launch: Launch, data: Path, tmp_path: Path) -> None:
    python = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    plugin, draws = (textwrap.dedent(next(b for b in python if word in b)) for word in ("Film grain", "with Studio()"))
    assert launch("plugins", "new", "film_grain", "--in", str(tmp_path)).returncode == 0
    (tmp_path / "film_grain" / "__init__.py").write_text(plugin, "utf-8")
    environ = {**os.environ, "LIMNER_DATA": str(data), "LIMNER_PLUGINS": str(tmp_path / "film_grain")}
    done = subprocess.run(
        [sys.executable, "-c", draws], capture_output=True, text=True, timeout=240, env=environ, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    request, facts, _ = read_settings(Path(done.stdout.strip()))
    assert request.finish == (FinishStep("film_grain", {"amount": 0.5}),)
    assert "film_grain 0.1.0" in facts["plugins"]

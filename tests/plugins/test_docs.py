"""docs/plugins.md: the reference is that of the code, and the tutorial works as it is written."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Launch
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

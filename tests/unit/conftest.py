"""The unit layer answers in seconds because nothing in it loads torch or the page's framework; this holds it there."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

HEAVY = ("torch", "diffusers", "transformers", "gradio")


@pytest.fixture(autouse=True)
def _light() -> Iterator[None]:
    before = {name for name in HEAVY if name in sys.modules}
    yield
    loaded = [name for name in HEAVY if name in sys.modules and name not in before]
    assert not loaded, f"a unit test has loaded {', '.join(loaded)}"

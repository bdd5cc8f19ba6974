"""A plugin that is switched off on the Plugins page is off in the engine's process too, which goes on running."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.engine.conftest import make_tiny_model
from tests.unit.plugin_makers import write
from toolkit.errors import EngineError, RequestError
from toolkit.finishing import FinishStep
from toolkit.geometry import Size
from toolkit.request import GenerationRequest, Sampling
from toolkit.settings import load_settings
from toolkit.studio import Studio

REVIEW = "@hookimpl\ndef review_image(): return Review('block', 'nothing may be kept')"
BLUE = (
    "from PIL import Image\n@hookimpl\ndef register_postprocessors():\n"
    "    yield Postprocessor('blue', 'Blue', lambda i, o, c: Image.new('RGB', i.size, 'blue'))\n"
)
FAILS = "@hookimpl\ndef register_postprocessors():\n    yield Postprocessor('fails', 'Fails', lambda i, o, c: 1 / 0)"


def test_plugins_are_switched_in_the_engines_process_without_a_restart(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "models" / "tiny")
    for name, source in {"review": REVIEW, "blue": BLUE, "fails": FAILS}.items():
        write(tmp_path / "given", name, source)
    settings = load_settings(data=tmp_path / "data", models=[tmp_path / "models"], plugins=[tmp_path / "given"])
    asked = GenerationRequest("a red fish", model="tiny", size=Size(64, 64), sampling=Sampling(steps=2), seed=1)
    blue = asked.with_(finish=(FinishStep("blue"),))
    with Studio(settings=settings, engine="process") as studio:
        with pytest.raises(EngineError, match="nothing may be kept"):
            studio.submit(asked).wait(120)
        pid = studio.engine.stats()["pid"]
        studio.plugins.enable("review", False)
        [made] = studio.submit(blue).wait(60)
        assert Image.open(made.path).getcolors() == [(64 * 64, (0, 0, 255))]
        studio.plugins.enable("blue", False)
        with pytest.raises(RequestError, match="no finishing step “blue”"):
            studio.submit(blue)
        studio.plugins.enable("blue", True)
        [made] = studio.submit(blue).wait(60)
        assert Image.open(made.path).getcolors() == [(64 * 64, (0, 0, 255))]
        for _ in range(3):  # what fails in the engine's process is counted here, and goes off in both
            studio.submit(asked.with_(finish=(FinishStep("fails"),))).wait(60)
        assert "switched off after 3 errors" in studio.plugins.get("fails").reason
        studio.plugins.enable("review", True)
        with pytest.raises(EngineError, match="nothing may be kept"):
            studio.submit(asked).wait(60)
        assert studio.engine.stats()["pid"] == pid, "the engine went on running all the time"

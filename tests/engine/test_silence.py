"""A job that never comes back from the model: only a new process is rid of it."""

from __future__ import annotations

import pytest

from tests.unit.plugin_makers import load
from toolkit.engine.control import Patience
from toolkit.engine.process import ProcessEngine
from toolkit.errors import EngineError
from toolkit.settings import load_settings
from toolkit.studio import Studio

# Counts the calls of the denoiser, and never ends the third: the first two show how long a step usually is.
ENDLESS = '''
from contextlib import contextmanager
calls = []
@contextmanager
def endless():
    calls.append(1)
    while len(calls) > 2:
        pass
    yield
@hookimpl
def register_options(): return [Toggle("on", "Loop", False)]
@hookimpl
def patch_denoiser(denoiser, request): return endless() if request.extras["endless"]["on"] else None
'''


def test_a_job_that_hangs_in_the_model_ends_with_the_reason_and_the_next_one_is_drawn(models, tiny_request, tmp_path):
    plugins = load(tmp_path, endless=ENDLESS)
    settings = load_settings(data=tmp_path / "studio", models=[str(folder) for folder in models.folders])
    engine = ProcessEngine(
        models, dtype="float32", data=tmp_path, plugins=plugins, patience=Patience(least=5.0, grace=1.0)
    )
    with Studio(settings=settings, engine=engine, plugins=plugins) as studio:
        hung = studio.submit(tiny_request.with_(steps=12, extras={"endless": {"on": True}}))
        with pytest.raises(EngineError, match=r"nothing moved in it .* \(step \d+ of 12\)"):
            hung.wait(120)
        [picture] = studio.submit(tiny_request).wait(120)
        assert picture.path.is_file()
        assert "ends itself" in (tmp_path / "engine.log").read_text(), "only a new process is rid of the hung thread"

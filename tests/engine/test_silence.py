"""Engines that hang: a process that stops answering, and a job that never comes back from the model."""

from __future__ import annotations

import os
import signal

import pytest

from tests.unit.plugin_makers import load
from toolkit.engine.control import Patience
from toolkit.engine.process import ProcessEngine
from toolkit.engine.protocol import EngineJob
from toolkit.errors import EngineError
from toolkit.geometry import Size
from toolkit.jobs import JobState
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


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows knows no SIGSTOP")
def test_a_process_that_stops_answering_is_ended_and_starts_again(models, listener, tiny_request, tmp_path):
    engine = ProcessEngine(models, dtype="float32", data=tmp_path, patience=Patience(least=6.0))
    engine.start(listener.on_event, listener.on_death)
    try:
        engine.submit(EngineJob("lost", tiny_request.with_(steps=500, size=Size(128, 128))))
        listener.wait_for(lambda: any(event.step >= 2 for event in listener.of("lost")))
        os.kill(engine.stats()["pid"], signal.SIGSTOP)
        listener.wait_for(lambda: listener.deaths, 60)
        assert "did not answer for" in listener.deaths[0]
        assert not any(event.state.ended for event in listener.of("lost")), "what a lost job means is not the engine's"

        engine.start(listener.on_event, listener.on_death)
        assert listener.draw(engine, tiny_request, "again").state is JobState.FINISHED
        assert len(listener.deaths) == 1
    finally:
        engine.close()


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

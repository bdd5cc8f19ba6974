"""How engines end: in good order, and when their process is killed."""

from __future__ import annotations

import os
import signal

import pytest

from toolkit.engine import open_engine
from toolkit.engine.protocol import EngineJob
from toolkit.engine.sketch import SketchEngine
from toolkit.geometry import Size
from toolkit.jobs import JobState


@pytest.mark.parametrize("kind", ["sketch", "inline", "process"])
def test_closing_ends_jobs_as_cancelled_and_may_happen_twice(kind, models, listener, tiny_request, tmp_path):
    if kind == "sketch":
        opened = SketchEngine(models, step_seconds=0.02)
    else:
        opened = open_engine(kind, models=models, data=tmp_path)
    opened.start(listener.on_event, listener.on_death)
    opened.submit(EngineJob("running", tiny_request.with_(steps=500, size=Size(128, 128))))
    opened.submit(EngineJob("waiting", tiny_request))
    listener.wait_for(lambda: listener.of("running"))
    opened.close()
    opened.close()
    opened.submit(EngineJob("late", tiny_request))

    assert listener.end_of("running", 1).state is JobState.CANCELLED
    assert listener.end_of("waiting", 1).state is JobState.CANCELLED
    assert listener.end_of("late", 1).state is JobState.CANCELLED
    assert not listener.deaths


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows knows no SIGKILL")
def test_a_killed_process_is_reported_and_starts_again(models, listener, tiny_request, tmp_path):
    engine = open_engine("process", models=models, dtype="float32", data=tmp_path, attention="sliced")
    engine.start(listener.on_event, listener.on_death)
    try:
        engine.submit(EngineJob("lost", tiny_request.with_(steps=500, size=Size(128, 128))))
        listener.wait_for(lambda: any(event.step >= 2 for event in listener.of("lost")))
        os.kill(engine.stats()["pid"], signal.SIGKILL)
        listener.wait_for(lambda: listener.deaths, 20)
        assert "SIGKILL" in listener.deaths[0]
        assert engine.stats()["alive"] is False
        assert not any(event.state.ended for event in listener.of("lost")), "what a lost job means is not the engine's"

        engine.start(listener.on_event, listener.on_death)
        again = listener.draw(engine, tiny_request, "again")
        assert again.state is JobState.FINISHED
        assert again.facts["attention"] == "sliced", "the new process draws as the old one did"
        assert len(listener.deaths) == 1
        assert "loaded tiny" in (tmp_path / "engine.log").read_text()
    finally:
        engine.close()


def test_jobs_wait_while_packages_arrive(models, listener, tiny_request, tmp_path):
    engine = open_engine("process", models=models, data=tmp_path)
    engine.ready_when = lambda: False
    engine.start(listener.on_event, listener.on_death)
    engine.submit(EngineJob("early", tiny_request))
    engine.submit(EngineJob("given up", tiny_request))
    assert engine.stats()["pid"] is None
    engine.cancel("given up")
    assert listener.end_of("given up", 1).state is JobState.CANCELLED
    assert not listener.of("early")
    engine.close()
    assert listener.end_of("early", 1).state is JobState.CANCELLED

"""How engines end: in good order, and when their process is killed."""

from __future__ import annotations

import os
import signal

import pytest

from toolkit.engine import open_engine
from toolkit.engine.control import Patience
from toolkit.engine.process import ProcessEngine
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


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows knows no signals")
def test_a_process_that_hangs_or_is_killed_is_reported_and_starts_again(models, listener, tiny_request, tmp_path):
    patience = Patience(least=6.0)
    engine = ProcessEngine(models, dtype="float32", data=tmp_path, patience=patience, attention="sliced")
    try:
        for number, (kind, reason) in enumerate([("SIGSTOP", "did not answer for"), ("SIGKILL", "SIGKILL")], 1):
            engine.start(listener.on_event, listener.on_death)
            drawn = listener.draw(engine, tiny_request, f"drawn before {kind}")
            assert drawn.state is JobState.FINISHED
            assert drawn.facts["attention"] == "sliced", "the new process draws as the old one did"
            lost = f"lost by {kind}"
            engine.submit(EngineJob(lost, tiny_request.with_(steps=500, size=Size(128, 128))))
            listener.wait_for(lambda lost=lost: any(event.step >= 2 for event in listener.of(lost)))
            os.kill(engine.stats()["pid"], getattr(signal, kind))
            listener.wait_for(lambda number=number: len(listener.deaths) == number, 60)
            assert reason in listener.deaths[-1]
            assert engine.stats()["alive"] is False
            assert not any(event.state.ended for event in listener.of(lost)), "what that means is not the engine's"
        assert (tmp_path / "engine.log").read_text().count("loaded tiny") == 2
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

"""A preprocessor that never ends: its picture is refused with a sentence, and the next one is made."""

from __future__ import annotations

import io
import threading
from concurrent.futures import Future

from PIL import Image

from tests.unit.plugin_makers import load
from toolkit.adapters import ControlUse
from toolkit.engine.control import Patience
from toolkit.engine.inline import InlineEngine
from toolkit.engine.preprocessing import ControlAsk, ControlMade
from toolkit.engine.process import ProcessEngine
from toolkit.engine.protocol import EngineJob
from toolkit.geometry import Size
from toolkit.jobs import JobState
from toolkit.plugins.states import State

# One loops in Python and catches what it can, one waits where no exception reaches it, and one does its work.
DETECTORS = '''
import time
def loops(image, options, context):
    while True:
        try:
            sum(range(1000))
        except Exception:
            pass
@hookimpl
def register_preprocessors():
    yield Preprocessor("loops", "Loops", loops)
    yield Preprocessor("sleeps", "Sleeps", lambda image, options, context: time.sleep(3600))
    yield Preprocessor("flips", "Flips", lambda image, options, context: image.transpose(0))
'''
PATIENCE = Patience(least=8.0, preview=1.5, grace=0.5)


def ask(engine, name: str) -> Future[ControlMade]:
    file = io.BytesIO()
    image().save(file, "PNG")
    answer: Future[ControlMade] = Future()
    engine.preprocess(ControlAsk(ControlUse("lines", "0" * 64, name), Size(64, 32), file.getvalue()), answer.set_result)
    return answer


def image() -> Image.Image:
    return Image.linear_gradient("L").resize((64, 32)).convert("RGB")


def hang_both_ways(engine) -> None:
    for name in ("loops", "sleeps"):
        hanging, behind = ask(engine, name), ask(engine, "flips")
        made = hanging.result(timeout=60)
        assert made.picture is None and made.field == "controls"
        assert made.error.startswith(f"“{name.title()}” failed: It was not done within 1.5 seconds: something in it ")
        assert behind.result(timeout=60).picture.rgb == image().transpose(0).tobytes()


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "preprocess"}


def test_threads_of_this_process_go_on_without_the_one_that_hangs(models, tmp_path):
    before = threads()
    plugins = load(tmp_path, detectors=DETECTORS)
    engine = InlineEngine(models, dtype="float32", plugins=plugins, patience=PATIENCE)
    hang_both_ways(engine)
    assert engine.hung_beside, "nothing but the end of the program wakes what sleeps"
    plugin = plugins.get("detectors")
    assert (plugin.errors, plugin.state) == (2, State.ACTIVE)
    assert ask(engine, "loops").result(timeout=60).picture is None
    assert plugin.state is State.FAILED, "three such waits are enough"
    assert len(threads() - before) == 2, "the one that sleeps, and the one that works"


def test_a_process_rids_itself_of_what_hangs_once_nothing_is_drawn(models, listener, tiny_request, tmp_path):
    plugins = load(tmp_path, detectors=DETECTORS)
    engine = ProcessEngine(models, dtype="float32", data=tmp_path, plugins=plugins, patience=PATIENCE)
    engine.start(listener.on_event, listener.on_death)
    try:
        engine.submit(EngineJob("beside", tiny_request.with_(steps=900, size=Size(384, 384))))
        listener.wait_for(lambda: any(event.step >= 2 for event in listener.of("beside")))
        hang_both_ways(engine)
        assert not listener.deaths and not any(event.state.ended for event in listener.of("beside")), "drawing goes on"
        engine.cancel("beside")
        listener.wait_for(lambda: listener.deaths, 30)
        assert listener.of("beside")[-1].state is JobState.CANCELLED
        assert "a preprocessor hangs" in (tmp_path / "engine.log").read_text()
    finally:
        engine.close()

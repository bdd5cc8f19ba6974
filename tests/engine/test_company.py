"""Several jobs in one real engine: loading beside them, one that hangs, and eight people through the studio."""

from __future__ import annotations

import shutil
import threading
from itertools import count

import pytest
import torch

from toolkit.engine.control import Patience
from toolkit.engine.inline import InlineEngine
from toolkit.engine.loading import load_unet
from toolkit.engine.protocol import EngineJob
from toolkit.geometry import Size
from toolkit.jobs import JobState, Who
from toolkit.settings import load_settings
from toolkit.studio import Studio


@pytest.fixture
def engine(models, listener):
    opened = InlineEngine(models, dtype="float32")
    opened.start(listener.on_event, listener.on_death)
    yield opened
    opened.close()


def test_loading_a_model_changes_nothing_for_jobs_that_run(engine, models, listener, tiny_request):
    """Loaders of the libraries change torch's defaults for every thread; ours may not, or pictures come out wrong."""
    expected = listener.draw(engine, tiny_request.with_(steps=30), "before").pictures[0].rgb
    stop, strange = threading.Event(), []

    def load() -> None:
        model = models.find("tiny")
        while not stop.is_set():
            load_unet(model, torch.float16, torch.device("cpu"))

    def create() -> None:
        while not stop.is_set():
            made = torch.nn.Linear(2, 2)
            if made.weight.dtype != torch.float32 or made.weight.device.type != "cpu":
                strange.append((made.weight.dtype, made.weight.device))

    threads = [threading.Thread(target=work, daemon=True) for work in (load, create)]
    for thread in threads:
        thread.start()
    drawn = listener.draw(engine, tiny_request.with_(steps=30), "beside").pictures[0].rgb
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not strange
    assert drawn == expected


def test_a_denoiser_that_hangs_costs_its_job_and_the_engine_starts_afresh(models, listener, tiny_request):
    patience = Patience(least=1.5, steps=10.0, unknown=170.0, grace=0.5)
    engine = InlineEngine(models, dtype="float32", patience=patience)
    engine.start(listener.on_event, listener.on_death)
    release = threading.Event()

    def hang(call: int) -> None:
        if call == 3:
            release.wait(170)

    try:
        listener.draw(engine, tiny_request, "before")
        with engine.open()[0].lease(models.find("tiny")) as components:
            calls = count(1)
            hook = components.unet.register_forward_pre_hook(lambda *_: hang(next(calls)))
        engine.submit(EngineJob("hangs", tiny_request))
        end = listener.end_of("hangs", 60)
        assert end.state is JobState.FAILED
        assert "nothing moved" in end.error
        listener.wait_for(lambda: listener.deaths, 30)
        engine.start(listener.on_event, listener.on_death)
        assert listener.draw(engine, tiny_request, "after").state is JobState.FINISHED
    finally:
        release.set()
        hook.remove()
        engine.close()


def test_eight_people_draw_at_once_through_the_studio(checkpoints, tiny_request, tmp_path):
    shutil.copytree(checkpoints, tmp_path / "models")
    settings = load_settings(data=tmp_path / "data", models=[str(tmp_path / "models")], dtype="float32")
    with Studio(settings=settings) as studio:
        studio.generate(tiny_request)
        people = [Who(f"person {number}", "visitor") for number in range(8)]
        jobs = [
            studio.submit(tiny_request.with_(steps=25, seed=number, size=Size(64, 64)), who)
            for number, who in enumerate(people)
        ]
        pictures = [job.wait(timeout=120) for job in jobs]
        (model,) = [one for one in studio.engine.stats()["models"] if one["id"] == "tiny"]
        assert model["batches"] < model["calls"] * 0.8, "the jobs did not share their calls"
        alone = studio.generate(tiny_request.with_(steps=25, seed=3))[0]
    assert [len(found) for found in pictures] == [1] * 8
    for who, found in zip(people, pictures, strict=True):
        assert found[0].path.is_file(), who
    pairs = zip(alone.image.tobytes(), pictures[3][0].image.tobytes(), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 1

"""What every engine promises, held against each of them."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from toolkit.engine.protocol import EngineJob
from toolkit.geometry import Size
from toolkit.jobs import JobState

PHASES = ["loading", "encoding", "denoising", "decoding", "finishing"]


@pytest.fixture(autouse=True)
def _connected(engine, listener) -> None:
    engine.relay.listener = listener


def test_events_come_in_order_and_end_with_the_pictures(engine, listener, tiny_request):
    end = listener.draw(engine, tiny_request.with_(count=2))
    events = listener.of("job")

    assert end.state is JobState.FINISHED, end.error
    assert all(event.state is JobState.RUNNING for event in events[:-1])
    phases = [event.phase for event in events]
    assert sorted(phases, key=PHASES.index) == phases
    assert list(dict.fromkeys(phases)) == PHASES
    steps = [event.step for event in events if event.phase == "denoising"]
    assert steps == [0, 1, 2, 3, 4]
    assert {event.steps for event in events} == {4}
    assert [(picture.width, picture.height) for picture in end.pictures] == [(64, 64)] * 2
    assert all(len(picture.rgb) == 64 * 64 * 3 for picture in end.pictures)
    assert set(end.seconds) == {"load", "encode", "denoise", "decode", "finish", "total"}
    assert end.seconds["total"] == pytest.approx(sum(end.seconds.values()) - end.seconds["total"], abs=0.2)
    assert {"dtype", "batch", "device", "engine"} <= set(end.facts)
    assert engine.stats()["alive"] is True


def test_previews_are_small_jpegs_one_for_each_picture(engine, listener, tiny_request):
    listener.draw(engine, tiny_request.with_(count=2, size=Size(128, 64)))
    shown = [event.previews for event in listener.of("job") if event.previews]

    assert shown, "no previews came"
    assert listener.of("job")[-3].step == 4 or any(event.step == 4 and event.previews for event in listener.of("job"))
    for previews in shown:
        assert len(previews) == 2
        for preview in previews:
            picture = Image.open(io.BytesIO(preview))
            assert picture.format == "JPEG"
            assert picture.width == 2 * picture.height <= 256


def test_each_picture_of_a_batch_is_the_one_its_seed_draws_alone(engine, listener, tiny_request):
    for sampler in ("ddim", "euler_a"):
        asked = tiny_request.with_(sampler=sampler)
        together = listener.draw(engine, asked.with_(count=4), f"{sampler}-batch")
        assert len({picture.rgb for picture in together.pictures}) == 4
        for index in (0, 3):
            alone = listener.draw(engine, asked.with_(seed=7 + index), f"{sampler}-{index}")
            pairs = zip(together.pictures[index].rgb, alone.pictures[0].rgb, strict=True)
            assert max(abs(a - b) for a, b in pairs) <= 1


def test_cancel_stops_within_one_step(engine, listener, tiny_request):
    engine.submit(EngineJob("long", tiny_request.with_(steps=500, size=Size(128, 128))))
    listener.wait_for(lambda: any(event.step >= 3 for event in listener.of("long")))
    seen = listener.of("long")[-1].step
    began = time.monotonic()
    engine.cancel("long")
    end = listener.end_of("long")

    assert end.state is JobState.CANCELLED
    assert end.step < 500
    assert end.step - seen <= max(3, (time.monotonic() - began) * 300)
    assert not end.pictures
    assert listener.draw(engine, tiny_request, "after").state is JobState.FINISHED


def test_skip_gives_up_one_picture_within_a_step_and_draws_the_others_as_ever(engine, listener, tiny_request):
    asked = tiny_request.with_(steps=60, count=3, size=Size(128, 128))
    whole = listener.draw(engine, asked, "whole")
    engine.submit(EngineJob("less", asked))
    listener.wait_for(lambda: any(event.step >= 3 for event in listener.of("less")))
    engine.skip("less", 1)
    listener.wait_for(lambda: listener.of("less")[-1].skipped == (1,))
    end = listener.end_of("less")

    assert end.state is JobState.FINISHED, end.error
    assert end.skipped == (1,)
    assert len(end.pictures) == 2
    for mine, theirs in zip(end.pictures, (whole.pictures[0], whole.pictures[2]), strict=True):
        assert max(abs(a - b) for a, b in zip(mine.rgb, theirs.rgb, strict=True)) <= 1
    shown = [event.previews for event in listener.of("less") if event.previews and event.skipped]
    assert shown and all(previews[1] == b"" and previews[0] and previews[2] for previews in shown)
    engine.skip("less")
    engine.skip("nobody", 0)


def test_a_job_begins_without_the_pictures_that_were_given_up_before(engine, listener, tiny_request):
    asked = tiny_request.with_(count=3)
    whole = listener.draw(engine, asked, "whole")
    engine.submit(EngineJob("less", asked, skipped=(0, 2)))
    end = listener.end_of("less")
    assert end.state is JobState.FINISHED, end.error
    assert end.skipped == (0, 2) and len(end.pictures) == 1
    assert max(abs(a - b) for a, b in zip(end.pictures[0].rgb, whole.pictures[1].rgb, strict=True)) <= 1
    assert all(event.skipped == (0, 2) for event in listener.of("less"))
    engine.submit(EngineJob("none", asked, skipped=(0, 1, 2)))
    assert listener.end_of("none").state is JobState.CANCELLED


def test_a_job_without_any_picture_left_ends_at_once_as_cancelled(engine, listener, tiny_request):
    engine.submit(EngineJob("none", tiny_request.with_(steps=500, count=2, size=Size(128, 128))))
    listener.wait_for(lambda: any(event.step >= 3 for event in listener.of("none")))
    engine.skip("none")
    listener.wait_for(lambda: listener.of("none")[-1].skipped == (0,))
    engine.skip("none")
    end = listener.end_of("none")

    assert end.state is JobState.CANCELLED
    assert end.step < 500
    assert not end.pictures
    assert listener.draw(engine, tiny_request, "after").state is JobState.FINISHED


def test_as_many_jobs_as_there_are_seats_run_at_once_and_draw_what_each_draws_alone(engine, listener, tiny_request):
    samplers = ("ddim", "euler", "dpmpp_2m", "euler_a")
    asked = {
        f"job {number}": tiny_request.with_(
            prompt="a red fish" if number % 2 else "a big blue star on white", seed=50 + number, count=1 + number % 2,
            sampler=samplers[number % 4], steps=6 + number, guidance=1.0 + number,
        )
        for number in range(engine.capacity)
    }  # fmt: skip
    for number, (name, request) in enumerate(asked.items()):
        engine.submit(EngineJob(name, request, who=f"person {number % 3}"))
    ends = {name: listener.end_of(name) for name in asked}
    for name, end in ends.items():
        assert end.state is JobState.FINISHED, end.error
        alone = listener.draw(engine, asked[name], f"{name} alone")
        for one, other in zip(end.pictures, alone.pictures, strict=True):
            assert max(abs(a - b) for a, b in zip(one.rgb, other.rgb, strict=True)) <= 1
    assert engine.capacity == 1 or max(end.facts["company"] for end in ends.values()) > 1


def test_cancelling_a_waiting_job_and_one_that_ended(engine, listener, tiny_request):
    for number in range(engine.capacity + engine.express - 1):
        engine.submit(EngineJob(f"other {number}", tiny_request.with_(steps=500, size=Size(128, 128))))
    engine.submit(EngineJob("first", tiny_request.with_(steps=500, size=Size(128, 128))))
    engine.submit(EngineJob("second", tiny_request))
    engine.cancel("second")
    assert listener.end_of("second").state is JobState.CANCELLED
    assert listener.of("second")[0].state is JobState.CANCELLED, "a waiting job was started"
    engine.cancel("first")
    assert listener.end_of("first").state is JobState.CANCELLED
    engine.cancel("first")
    engine.cancel("nobody")
    for number in range(engine.capacity + engine.express - 1):
        engine.cancel(f"other {number}")
        assert listener.end_of(f"other {number}").state is JobState.CANCELLED
    listener.draw(engine, tiny_request, "after")
    assert len([event for event in listener.of("first") if event.state.ended]) == 1


@pytest.mark.parametrize(
    "change, word", [({"model": "no-such-model"}, "no-such-model"), ({"sampler": "magic"}, "magic")]
)
def test_a_failing_job_says_why_in_a_sentence_and_the_next_one_is_untouched(
    engine, listener, tiny_request, change, word
):
    before = listener.draw(engine, tiny_request, "before")
    failed = listener.draw(engine, tiny_request.with_(**change), "failing")
    after = listener.draw(engine, tiny_request, "after")

    assert failed.state is JobState.FAILED
    assert word in failed.error
    assert failed.error.endswith(".")
    assert "Traceback" not in failed.error
    assert not listener.deaths
    assert after.pictures[0].rgb == before.pictures[0].rgb

"""Jobs on threads: several at once, stalled ones ended, finishing steps one job at a time. Nothing here draws."""

from __future__ import annotations

import threading
import time

import pytest

from toolkit.engine.control import Control, Drawn, Patience
from toolkit.engine.protocol import EngineEvent, EngineJob, Picture
from toolkit.engine.runner import JobRunner
from toolkit.jobs import JobState
from toolkit.request import GenerationRequest, Sampling

QUICK = Patience(least=0.2, steps=3.0, unknown=0.6, grace=0.3)
PICTURE = Drawn((Picture(1, 1, b"abc"),))


class Heard:
    """What a runner says, and a way to wait for the end of a job."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: EngineEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def end_of(self, job_id: str) -> EngineEvent:
        def ended() -> list[EngineEvent]:
            return [event for event in self.events if event.job_id == job_id and event.state.ended]

        with self._changed:
            assert self._changed.wait_for(ended, 20), f"job {job_id} did not end"
            return ended()[-1]


def job(name: str, steps: int = 4) -> EngineJob:
    return EngineJob(name, GenerationRequest(prompt="a cat", sampling=Sampling(steps=steps)))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def started(draw, heard: Heard, capacity: int = 1, **more) -> JobRunner:
    runner = JobRunner(draw, capacity, **more)
    runner.start(heard)
    return runner


def test_as_many_jobs_as_there_is_room_for_run_at_once(heard):
    meeting = threading.Barrier(8, timeout=10)

    def draw(one: EngineJob, control: Control) -> Drawn:
        meeting.wait()
        return PICTURE

    runner = started(draw, heard, 8)
    for number in range(8):
        runner.submit(job(str(number)))
    assert {heard.end_of(str(number)).state for number in range(8)} == {JobState.FINISHED}
    runner.close()


def test_a_job_without_a_sign_of_life_is_ended_with_the_reason(heard):
    def draw(one: EngineJob, control: Control) -> Drawn:
        control.phase("denoising")
        control.step()
        while one.id == "stalled":
            time.sleep(0.02)
            control.checkpoint()
        return PICTURE

    runner = started(draw, heard, patience=QUICK)
    runner.submit(job("stalled"))
    runner.submit(job("next"))
    end = heard.end_of("stalled")
    assert end.state is JobState.FAILED
    assert "nothing moved" in end.error
    assert "step 1 of 4" in end.error
    assert heard.end_of("next").state is JobState.FINISHED
    runner.close()


def test_a_hung_thread_is_left_behind_and_its_seat_is_free(heard):
    release, stuck = threading.Event(), []

    def draw(one: EngineJob, control: Control) -> Drawn:
        control.phase("denoising")
        if one.id == "hung":
            release.wait(30)
        return PICTURE

    runner = started(draw, heard, patience=QUICK, on_stuck=stuck.append)
    runner.submit(job("hung"))
    runner.submit(job("next"))
    assert heard.end_of("hung").state is JobState.FAILED
    assert heard.end_of("next").state is JobState.FINISHED
    assert len(stuck) == 1
    release.set()
    time.sleep(0.1)
    assert len([event for event in heard.events if event.job_id == "hung" and event.state.ended]) == 1
    runner.close(1)


def test_slow_steps_and_waiting_in_company_are_no_stall(heard):
    def draw(one: EngineJob, control: Control) -> Drawn:
        control.phase("denoising")
        for _ in range(2):
            time.sleep(0.4)  # longer than `least`, but usual for this job
            control.step()
        for _ in range(5):
            time.sleep(0.3)
            control.alive()
        return PICTURE

    runner = started(draw, heard, patience=QUICK)
    runner.submit(job("slow"))
    assert heard.end_of("slow").state is JobState.FINISHED
    runner.close()


def test_phases_tell_their_times(heard):
    def draw(one: EngineJob, control: Control) -> Drawn:
        for phase in ("loading", "encoding", "denoising", "decoding"):
            control.phase(phase)
            time.sleep(0.02)
        return PICTURE

    runner = started(draw, heard)
    runner.submit(job("timed"))
    end = heard.end_of("timed")
    assert set(end.seconds) == {"load", "encode", "denoise", "decode", "total"}
    assert all(seconds >= 0.015 for seconds in end.seconds.values())
    assert [set(event.seconds) for event in heard.events[1:3]] == [{"load", "total"}, {"load", "encode", "total"}]
    runner.close()

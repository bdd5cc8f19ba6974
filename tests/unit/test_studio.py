"""The studio with real SQLite, real files and the sketch engine: jobs, watching, restarts, other people's things."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from toolkit import (
    EngineError,
    GenerationRequest,
    JobState,
    NotAdmitted,
    RequestError,
    Sampling,
    StorageError,
    Studio,
    Who,
)
from toolkit.engine.runner import JobRunner
from toolkit.engine.sketch import SketchEngine

CAT = GenerationRequest(prompt="a red cat", seed=7)
LONG = CAT.with_(steps=150)


@pytest.fixture
def studio(tmp_path: Path):
    with Studio(data=tmp_path, engine="sketch") as opened:
        yield opened


def slow_studio(folder: Path) -> Studio:
    return Studio(data=folder, engine=SketchEngine(step_seconds=0.02))


def test_a_picture_is_saved_and_explains_itself(studio: Studio) -> None:
    [picture] = studio.generate(CAT)
    assert picture.request.seed == 7 and picture.request.size == (256, 256)
    with Image.open(picture.path) as saved:
        assert saved.size == (256, 256) and saved.text["parameters"].startswith("a red cat\nSteps: ")
        assert picture.image.tobytes() == saved.convert("RGB").tobytes()


def test_pictures_of_a_batch_have_their_own_seeds(studio: Studio) -> None:
    pictures = studio.generate(CAT.with_(count=3))
    assert [picture.request.seed for picture in pictures] == [7, 8, 9]
    assert {picture.request.count for picture in pictures} == {1}
    [alone] = studio.generate(pictures[2].request)
    assert alone.image.tobytes() == pictures[2].image.tobytes()


def test_a_skipped_picture_is_left_out_and_the_others_keep_their_seeds(tmp_path: Path) -> None:
    with slow_studio(tmp_path) as studio:
        job = studio.submit(CAT.with_(count=3, steps=60))
        assert next(event for event in job.watch(tick=0.01) if event.step > 1).skipped == ()
        job.skip(1)
        pictures = job.wait(timeout=30)
        assert [(picture.index, picture.request.seed) for picture in pictures] == [(0, 7), (2, 9)]
        assert job.latest.note == "1 of 3 pictures was skipped."
        job.skip()
        assert [picture.request.seed for picture in job.wait()] == [7, 9]


def test_skipping_every_picture_ends_the_job_without_any(tmp_path: Path) -> None:
    with slow_studio(tmp_path) as studio:
        job = studio.submit(LONG.with_(count=2))
        assert any(event.step > 1 for event in job.watch(tick=0.01))
        job.skip()
        job.skip()
        with pytest.raises(EngineError, match="cancelled"):
            job.wait(timeout=30)
        assert studio.gallery.count(job.who) == 0


def test_watching_tells_the_steps_and_ends(studio: Studio) -> None:
    events = list(studio.submit(CAT.with_(steps=5)).watch(tick=0.01))
    assert events[-1].state is JobState.FINISHED and len(events[-1].images) == 1
    steps = [event.step for event in events if event.phase == "denoising"]
    assert steps == sorted(steps)


def test_a_running_job_is_cancelled(tmp_path: Path) -> None:
    with slow_studio(tmp_path) as studio:
        job = studio.submit(LONG)
        for event in job.watch(tick=0.01):
            if event.phase == "denoising":
                job.cancel()
        assert job.state is JobState.CANCELLED
        with pytest.raises(EngineError):
            job.wait()
        assert studio.generate(CAT)


def test_a_waiting_job_is_cancelled_and_others_move_up(tmp_path: Path) -> None:
    with slow_studio(tmp_path) as studio:
        first, second, third = (studio.submit(LONG) for _ in range(3))
        places = [job.latest.place for job in (second, third)]
        second.cancel()
        assert second.state is JobState.CANCELLED
        assert third.latest.place == places[1] - 1
        first.cancel()
        third.cancel()


def test_jobs_and_pictures_are_their_owners(studio: Studio) -> None:
    alice, bob = Who("alice", "visitor"), Who("bob", "visitor")
    job = studio.submit(CAT, alice)
    [picture] = job.wait()
    assert studio.job(job.id, alice).id == job.id and studio.job(job.id, bob) is None
    assert [j.id for j in studio.jobs(alice)] == [job.id] and studio.jobs(bob) == []
    assert studio.gallery.get(picture.id, bob) is None and studio.gallery.get(picture.id, alice)


def test_a_visitor_has_a_limit_on_waiting_jobs(tmp_path: Path) -> None:
    with slow_studio(tmp_path) as studio:
        visitor = Who("v", "visitor")
        with pytest.raises(NotAdmitted) as caught:
            for _ in range(50):
                studio.submit(CAT.with_(steps=50), visitor)
        assert caught.value.retry_after
        for job in studio.jobs(visitor):
            job.cancel()


def test_after_a_restart_waiting_jobs_go_on_and_the_interrupted_one_waits(tmp_path: Path) -> None:
    studio = slow_studio(tmp_path)
    running, waiting = studio.submit(LONG), studio.submit(CAT.with_(steps=2))
    while running.latest.phase != "denoising":
        time.sleep(0.01)
    studio.close()
    assert running.state is JobState.INTERRUPTED
    with slow_studio(tmp_path) as again:
        owner = running.who
        assert len(again.job(waiting.id, owner).wait(timeout=20)) == 1
        assert again.job(running.id, owner).state is JobState.INTERRUPTED
        repeated = again.run_again(running.id, owner)
        assert repeated.request == running.request
        assert again.job(running.id, owner).state is JobState.CANCELLED
        repeated.cancel()


class MortalEngine(SketchEngine):
    """A sketch engine that dies while it draws, `deaths` times, as a killed process does."""

    def __init__(self, deaths: int, capacity: int = 1) -> None:
        super().__init__(step_seconds=0.005, capacity=capacity)
        self.deaths = deaths
        self.most_after_death = 0

    def start(self, on_event, on_death) -> None:
        def watch(event) -> None:
            if event.phase == "denoising" and event.step == 2 and self.deaths > 0:
                self.deaths -= 1
                dead, self._runner = self._runner, JobRunner(self._draw, self.capacity)
                dead.abandon()
                threading.Thread(target=on_death, args=("it was killed",)).start()
            elif self.deaths == 0:
                self.most_after_death = max(self.most_after_death, self._runner.running)
            on_event(event)

        super().start(watch, on_death)


def test_a_job_survives_the_death_of_its_engine_once(tmp_path: Path) -> None:
    with Studio(data=tmp_path, engine=MortalEngine(deaths=1)) as studio:
        job = studio.submit(LONG)
        notes = {event.note for event in job.watch(tick=0.01)}
        assert job.state is JobState.FINISHED
        assert any(note and "started again" in note for note in notes)


@pytest.mark.parametrize("picture, kept", [(1, [0, 2]), (None, [1, 2])])
def test_what_was_skipped_stays_skipped_when_its_engine_dies(tmp_path: Path, picture, kept) -> None:
    seen = []
    with Studio(data=tmp_path, engine=MortalEngine(deaths=1)) as studio:

        def listen(event, who) -> None:
            seen.append(event)
            if event.step == 1 and studio.engine.deaths == 1:
                studio.job(event.job_id, who).skip(picture)

        studio.add_listener(listen)
        job = studio.submit(LONG.with_(count=3))
        pictures = job.wait(timeout=60)
        assert [one.index for one in pictures] == kept
        assert [one.request.seed for one in pictures] == [7 + index for index in kept]
        assert "1 of 3 pictures was skipped" in job.latest.note
    again = [event for event in seen if event.note and "drawn again" in event.note and not event.state.ended]
    gone = tuple({0, 1, 2} - {*kept})
    assert again and all(event.skipped == gone for event in again), "the page says so from the first word on"


class DeafEngine(MortalEngine):
    """A mortal engine that hears of no cancelling before it dies, as one that hangs."""

    def cancel(self, job_id: str) -> None:
        if self.deaths == 0:
            super().cancel(job_id)


def test_what_was_cancelled_while_its_engine_hung_is_not_drawn_again(tmp_path: Path) -> None:
    with Studio(data=tmp_path, engine=DeafEngine(deaths=1)) as studio:

        def listen(event, who) -> None:
            if event.step == 1 and studio.engine.deaths == 1:
                studio.job(event.job_id, who).cancel()

        studio.add_listener(listen)
        job = studio.submit(LONG)
        with pytest.raises(EngineError, match="cancelled"):
            job.wait(timeout=60)
        assert job.state is JobState.CANCELLED
        assert studio.generate(CAT.with_(steps=2)) and studio.queue.pending_total() == 0


def test_a_picture_can_be_skipped_between_two_engines(tmp_path: Path) -> None:
    with Studio(data=tmp_path, engine=MortalEngine(deaths=1)) as studio:

        def listen(event, who) -> None:
            if event.state is JobState.QUEUED and event.note:
                studio.job(event.job_id, who).skip(2)
                studio.job(event.job_id, who).skip(9)

        studio.add_listener(listen)
        assert [one.index for one in studio.submit(LONG.with_(count=3)).wait(timeout=60)] == [0, 1]


def test_a_job_that_ends_the_engine_twice_fails_with_a_sentence(tmp_path: Path) -> None:
    with Studio(data=tmp_path, engine=MortalEngine(deaths=2)) as studio:
        with pytest.raises(EngineError, match="stopped twice"):
            studio.submit(LONG).wait(timeout=30)
        assert studio.generate(CAT.with_(steps=2))


def test_jobs_of_a_dead_engine_run_again_one_by_one(tmp_path: Path) -> None:
    engine = MortalEngine(deaths=1, capacity=3)
    with Studio(data=tmp_path, engine=engine) as studio:
        jobs = [studio.submit(LONG.with_(seed=seed)) for seed in range(3)]
        for job in jobs:
            assert len(job.wait(timeout=60)) == 1
        assert engine.most_after_death == 1, "a job that may have ended the engine had company"


def test_a_short_job_does_not_wait_for_long_ones(tmp_path: Path) -> None:
    engine = SketchEngine(step_seconds=0.02, capacity=2)
    engine.express = 1
    engine._runner = JobRunner(engine._draw, 3)
    with Studio(data=tmp_path, engine=engine) as studio:
        long = [studio.submit(CAT.with_(steps=100)) for _ in range(3)]
        short = studio.submit(CAT.with_(steps=2))
        assert len(short.wait(timeout=20)) == 1
        assert [job.state for job in long].count(JobState.FINISHED) == 0
        for job in long:
            job.cancel()


def test_a_disk_that_fills_up_fails_the_job_with_a_sentence(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineError, match="space"):
        studio.generate(CAT)
    monkeypatch.undo()
    assert not list(studio.gallery.folder.rglob("*.part"))
    assert studio.generate(CAT)


def test_a_full_disk_is_noticed_before_anything_is_drawn(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StorageError, match="free some space"):
        studio.submit(CAT)
    assert studio.jobs(Who("owner", "owner")) == []


def test_an_unusable_sampler_queues_nothing(studio: Studio) -> None:
    with pytest.raises(RequestError, match="no sampler"):
        studio.submit(CAT.with_(sampling=Sampling("magic")))
    assert studio.queue.pending_total() == 0

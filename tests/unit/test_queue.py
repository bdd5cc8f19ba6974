"""The queue: fair between people, safe between threads and studios, still there after a restart."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from toolkit.database import Database
from toolkit.geometry import Size
from toolkit.jobs import OWNER, JobState, Who
from toolkit.queue import JobQueue
from toolkit.request import GenerationRequest, Sampling, Written

ANNA, BEN = Who("anna", "visitor"), Who("ben", "visitor")
REQUEST = GenerationRequest(
    prompt="a cat 🐈", size=Size(256, 256), seed=5, count=2, sampling=Sampling("euler_a", "normal", 20, 5.5),
    written=Written("cat", "", ("flat",)),
)  # fmt: skip


@pytest.fixture
def database(data: Path):
    database = Database(data / "limner.db")
    yield database
    database.close()


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return JobQueue(database)


def add(queue: JobQueue, who: Who, *names: str) -> None:
    for name in names:
        queue.add(name, REQUEST, who, False)


def drain(queue: JobQueue) -> list[str]:
    taken = []
    while (job := queue.take()) is not None:
        taken.append(job.id)
        queue.finish(job.id, JobState.FINISHED)
    return taken


def test_a_job_comes_back_as_it_went_in(queue: JobQueue) -> None:
    before = time.time()
    queue.add("one", REQUEST, ANNA, True)
    waiting = queue.get("one")
    assert waiting is not None and waiting.state is JobState.QUEUED and waiting.started is None
    job = queue.take()
    assert job is not None
    assert (job.id, job.request, job.who, job.exact, job.alone) == ("one", REQUEST, ANNA, True, False)
    assert job.state is JobState.RUNNING and before <= job.created <= job.started <= time.time()
    queue.finish("one", JobState.FAILED, "It went wrong.", {"denoise": 1.5})
    ended = queue.get("one")
    assert ended is not None and (ended.state, ended.error) == (JobState.FAILED, "It went wrong.")
    assert ended.seconds == {"denoise": 1.5} and ended.ended >= job.started
    assert queue.take() is None and queue.get("two") is None


def test_one_job_of_a_second_person_waits_for_one_job_at_most(queue: JobQueue) -> None:
    add(queue, ANNA, *(f"a{number}" for number in range(50)))
    first = queue.take()
    add(queue, BEN, "b")
    assert queue.place("b") == 1, "only the one that runs comes before it"
    queue.finish(first.id, JobState.FINISHED)
    assert queue.take().id == "b"
    assert drain(queue) == [f"a{number}" for number in range(1, 50)]


def test_twenty_people_with_five_jobs_each_take_turns(queue: JobQueue) -> None:
    people = [Who(f"p{number}", "visitor") for number in range(19)] + [OWNER]
    for who in people:
        add(queue, who, *(f"{who.id} {number}" for number in range(5)))
    places = {name: queue.place(name) for name in ("p0 0", "p0 1", "owner 0", "owner 4")}
    assert places == {"p0 0": 0, "p0 1": 20, "owner 0": 19, "owner 4": 99}
    order = drain(queue)
    for turn in range(5):
        assert order[turn * 20 : turn * 20 + 20] == [f"{who.id} {turn}" for who in people]


def test_places_are_the_order_in_which_jobs_are_taken(queue: JobQueue) -> None:
    add(queue, ANNA, "a1", "a2", "a3")
    add(queue, BEN, "b1")
    queue.finish(queue.take().id, JobState.FINISHED)
    add(queue, OWNER, "o1", "o2")
    add(queue, BEN, "b2", "b3")
    names = ["a2", "a3", "b1", "b2", "b3", "o1", "o2"]
    expected = sorted(names, key=queue.place)
    assert sorted(map(queue.place, names)) == list(range(7))
    assert drain(queue) == expected
    assert queue.place("a2") == 0, "it has ended and waits for nobody"


def test_a_job_of_a_dead_engine_is_next_and_costs_no_turn(queue: JobQueue) -> None:
    add(queue, ANNA, "a1", "a2")
    add(queue, BEN, "b1", "b2")
    assert [queue.take().id, queue.take().id] == ["a1", "b1"]
    assert not queue.next_is_alone()
    assert queue.put_back("b1", alone=True) == 1
    assert queue.put_back("a1", alone=True) == 1
    assert queue.next_is_alone() and queue.place("a1") == 0 and queue.place("b1") == 1 and queue.place("a2") == 2
    again = queue.take()
    assert (again.id, again.alone) == ("a1", True)
    assert queue.put_back("a1", alone=True) == 2
    assert drain(queue) == ["a1", "b1", "a2", "b2"]
    assert queue.put_back("nobody's", alone=True) == 0
    assert queue.put_back("a1", alone=True) == 2 and queue.take() is None, "an ended job stays ended"


def test_a_short_job_is_found_behind_long_ones(queue: JobQueue) -> None:
    add(queue, ANNA, "long 1", "long 2")
    four_steps = REQUEST.with_(count=1, steps=4)
    queue.add("short", four_steps, BEN, False)
    queue.add("two short", four_steps.with_(count=3), ANNA, False)
    assert queue.take(8).id == "short"
    assert queue.take(8) is None, "three pictures of four steps are twelve steps"
    assert queue.take(12).id == "two short"
    assert queue.put_back("short", alone=True) == 1
    assert queue.take(8) is None, "a job that has to be alone is never let in between"
    assert queue.take().id == "short"
    assert drain(queue) == ["long 1", "long 2"]


def test_only_waiting_jobs_can_be_cancelled(queue: JobQueue) -> None:
    add(queue, ANNA, "a1", "a2")
    queue.take()
    assert [queue.cancel(name) for name in ("a1", "a2", "a2", "a9")] == [False, True, False, False]
    assert queue.get("a2").state is JobState.CANCELLED and queue.take() is None


def test_the_first_end_of_a_job_stands(queue: JobQueue) -> None:
    add(queue, ANNA, "a1", "a2")
    queue.take()
    queue.finish("a1", JobState.FINISHED, seconds={"total": 2.0})
    queue.finish("a1", JobState.FAILED, "late news")
    assert queue.get("a1").state is JobState.FINISHED and queue.get("a1").error is None
    queue.take()
    queue.finish("a2", JobState.INTERRUPTED)
    queue.finish("a2", JobState.CANCELLED)
    assert queue.get("a2").state is JobState.CANCELLED
    with pytest.raises(ValueError, match="running"):
        queue.finish("a2", JobState.RUNNING)


def test_counts_and_listings_are_each_persons_own(queue: JobQueue) -> None:
    add(queue, ANNA, "a1", "a2", "a3", "a4")
    add(queue, BEN, "b1")
    queue.take()
    assert (queue.pending(ANNA), queue.pending(BEN), queue.pending(OWNER), queue.pending_total()) == (4, 1, 0, 5)
    queue.finish("a1", JobState.FINISHED)
    queue.cancel("a2")
    queue.take()
    queue.finish("b1", JobState.INTERRUPTED)
    assert (queue.pending(ANNA), queue.pending(BEN), queue.pending_total()) == (2, 0, 2)
    later = time.time() + 1
    assert [job.id for job in queue.listing(ANNA, since=0)] == ["a1", "a2", "a3", "a4"]
    assert [job.id for job in queue.listing(ANNA, since=later)] == ["a3", "a4"]
    assert [job.id for job in queue.listing(BEN, since=later)] == ["b1"], "interrupted ones wait to be run again"
    assert queue.listing(OWNER, since=0) == []


def test_many_threads_take_every_job_once(queue: JobQueue) -> None:
    taken: list[str] = []

    def work(number: int) -> None:
        for turn in range(10):
            queue.add(f"{number}-{turn}", REQUEST, Who(str(number), "visitor"), False)
            if (job := queue.take()) is not None:
                taken.append(job.id)
                queue.finish(job.id, JobState.FINISHED)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken += drain(queue)
    assert max(Counter(taken).values()) == 1 and len(taken) == 80 and queue.pending_total() == 0


def test_waiting_jobs_outlive_a_restart_and_running_ones_are_interrupted(data: Path) -> None:
    first = Database(data / "limner.db")
    queue = JobQueue(first)
    add(queue, ANNA, "a1", "a2")
    add(queue, BEN, "b1", "b2")
    assert [queue.take().id, queue.take().id] == ["a1", "b1"]
    queue.put_back("b1", alone=True)
    first.close()
    second = Database(data / "limner.db")
    queue = JobQueue(second)
    assert queue.recover() == 1
    lost = queue.get("a1")
    assert lost.state is JobState.INTERRUPTED and "stopped" in lost.error and lost.ended is not None
    assert [(job.id, job.state) for job in queue.listing(ANNA, since=time.time() + 1)] == [
        ("a1", JobState.INTERRUPTED), ("a2", JobState.QUEUED),
    ]  # fmt: skip
    assert drain(queue) == ["b1", "a2", "b2"], "the turns of before count"
    assert queue.recover() == 0
    second.close()


def test_two_studios_on_one_database_leave_each_other_alone(data: Path) -> None:
    page, script = Database(data / "limner.db"), Database(data / "limner.db")
    of_page, of_script = JobQueue(page), JobQueue(script)
    add(of_page, ANNA, "running", "waiting")
    of_page.take()
    assert of_script.recover() == 0 and of_script.take() is None and of_script.pending_total() == 0
    assert of_page.get("running").state is JobState.RUNNING
    page.close()
    assert of_script.recover() == 1 and of_script.take().id == "waiting"
    script.close()


def test_a_request_of_another_version_does_not_stop_the_others(database: Database, queue: JobQueue) -> None:
    add(queue, ANNA, "new", "old")
    with database.transaction() as connection:
        connection.execute("""UPDATE jobs SET request = '{"flavour": "mint"}' WHERE id = 'new'""")
    queue.recover()
    assert queue.take().id == "old"
    assert queue.get("new").state is JobState.FAILED and "Another version" in queue.get("new").error


def test_old_jobs_are_forgotten(database: Database, queue: JobQueue) -> None:
    add(queue, ANNA, "old", "new")
    for _ in range(2):
        queue.finish(queue.take().id, JobState.FINISHED)
    with database.transaction() as connection:
        connection.execute("UPDATE jobs SET ended = ended - 40 * 24 * 3600 WHERE id = 'old'")
    queue.recover()
    assert queue.get("old") is None and queue.get("new") is not None

"""What is in memory: shared by jobs, put aside by cost when the budget is full, never while somebody draws with it."""

from __future__ import annotations

import os
import shutil
import statistics
import threading
import time

import pytest
import torch

from toolkit.engine import manager as manager_module
from toolkit.engine.manager import PipelineManager
from toolkit.errors import ModelError
from toolkit.models import ModelIndex
from toolkit.warmth import read_loaded

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def index(checkpoints, tmp_path_factory) -> ModelIndex:
    """Three models of the same size."""
    folder = tmp_path_factory.mktemp("three")
    for name in NAMES:
        shutil.copytree(checkpoints / "tiny", folder / name)
    return ModelIndex([folder])


@pytest.fixture
def size(index) -> int:
    manager = PipelineManager("float32")
    with manager.lease(index.find("one")):
        (fact,) = manager.loaded()
    manager.close()
    return fact["bytes"]


def lease(manager: PipelineManager, index: ModelIndex, name: str) -> None:
    with manager.lease(index.find(name)):
        pass


def there(manager: PipelineManager) -> set[str]:
    return {fact["id"] for fact in manager.loaded()}


def test_what_a_model_needs_is_known_before_it_is_loaded(index, size):
    model = index.find("one")
    assert model.elements() * 4 == pytest.approx(size, rel=0.01)


def test_leased_models_stay_however_small_the_budget_is(index):
    manager = PipelineManager("float32", budget=1)
    with manager.lease(index.find("one")) as first:
        with manager.lease(index.find("two")):
            assert there(manager) == {"one", "two"}
        with manager.lease(index.find("one")) as again:
            assert again is first
    lease(manager, index, "three")
    assert there(manager) == {"three"}


def test_what_is_cheap_to_load_again_goes_first(index, size):
    manager = PipelineManager("float32", budget=int(size * 2.5))
    lease(manager, index, "one")
    lease(manager, index, "two")
    dear, cheap = manager._loaded.values()
    dear.seconds, cheap.seconds = 60.0, 0.1
    lease(manager, index, "three")
    assert there(manager) == {"one", "three"}, "the one that takes a minute to load was dropped"
    dear.used -= 100_000
    list(manager._loaded.values())[1].seconds = 1.0
    lease(manager, index, "two")
    assert there(manager) == {"three", "two"}, "a model nobody has used for a day was kept for its cost"


def test_a_model_whose_file_was_replaced_is_loaded_again_and_the_old_one_goes(index):
    manager = PipelineManager("float32")
    lease(manager, index, "one")
    weights = index.find("one").weights("unet")
    os.utime(weights, (time.time() + 5, time.time() + 5))
    with manager.lease(index.find("one")) as fresh:
        assert list(manager._loaded.values()) == [fresh]


def test_switching_between_models_in_memory_takes_no_time(index):
    manager = PipelineManager("float32")
    for name in NAMES:
        lease(manager, index, name)
    took = []
    for turn in range(60):
        began = time.perf_counter()
        with manager.lease(index.find(NAMES[turn % 3])):
            took.append(time.perf_counter() - began)
    assert statistics.median(took) <= 0.01
    manager.close()


def test_other_processes_are_told_what_is_in_memory(index, tmp_path):
    manager = PipelineManager("float32", told=tmp_path)
    assert read_loaded(tmp_path) == {}
    lease(manager, index, "one")
    assert read_loaded(tmp_path) == {str(index.find("one").path): True}
    manager.close()
    assert read_loaded(tmp_path) == {}


def test_one_load_serves_all_that_wait_for_it(index, monkeypatch):
    loads = []
    real = manager_module.load_components

    def counted(*args):
        loads.append(args)
        return real(*args)

    monkeypatch.setattr(manager_module, "load_components", counted)
    manager = PipelineManager("float32")
    threads = [threading.Thread(target=lease, args=(manager, index, "one")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert [fact["leases"] for fact in manager.loaded()] == [0]


def test_a_resident_model_is_leased_while_another_one_loads(index, monkeypatch):
    manager = PipelineManager("float32")
    lease(manager, index, "one")
    loading, go_on = threading.Event(), threading.Event()
    real = manager_module.load_components

    def slow(*args):
        loading.set()
        assert go_on.wait(60)
        return real(*args)

    monkeypatch.setattr(manager_module, "load_components", slow)
    thread = threading.Thread(target=lease, args=(manager, index, "two"))
    thread.start()
    try:
        assert loading.wait(60)
        began = time.perf_counter()
        lease(manager, index, "one")
        assert time.perf_counter() - began < 1
    finally:
        go_on.set()
        thread.join()
    assert there(manager) == {"one", "two"}


def test_when_memory_runs_out_while_loading_everything_idle_goes_and_it_is_tried_again(index, monkeypatch):
    manager = PipelineManager("float32")
    lease(manager, index, "one")
    real, tries = manager_module.load_components, []

    def full_at_first(*args):
        tries.append(there(manager))
        if len(tries) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(*args)

    monkeypatch.setattr(manager_module, "load_components", full_at_first)
    lease(manager, index, "two")
    assert tries == [{"one"}, set()]
    assert there(manager) == {"two"}


def test_a_model_that_cannot_fit_is_refused_before_it_fills_the_machine(index, monkeypatch):
    manager = PipelineManager("float32")
    lease(manager, index, "one")
    monkeypatch.setattr(manager_module, "memory_free", lambda device: 1000)
    with pytest.raises(ModelError, match=r"needs 0\.0 GB as float32 and 0\.0 GB are free: close other programs"):
        lease(manager, index, "two")
    lease(manager, index, "one")


def test_what_is_put_aside_on_a_card_is_parked_in_memory_and_comes_back(index, size, monkeypatch):
    """The card is played by torch's meta device: what moves and what stays is the same there, the numbers aren't."""
    manager = PipelineManager("float32", budget=int(size * 1.5), parked=int(size * 1.5))
    manager._parked = int(size * 1.5)
    moves = []

    def move(components, device):
        moves.append((components.model.id, device.type))
        components.ready = device == manager.device

    monkeypatch.setattr(manager_module, "_MEMORY", torch.device("meta"))
    monkeypatch.setattr(manager, "_move", move)
    lease(manager, index, "one")
    lease(manager, index, "two")
    assert moves == [("one", "meta")]
    assert {fact["id"]: (fact["warm"], fact["place"]) for fact in manager.loaded()} == {
        "one": (False, "memory"), "two": (True, "cpu"),
    }  # fmt: skip
    with manager.lease(index.find("one")) as back:
        assert back.ready
        assert moves[1:] == [("two", "meta"), ("one", "cpu")]
        assert back.leases == 1
    lease(manager, index, "three")
    assert there(manager) == {"three", "one"}, "memory had room for one parked model only"

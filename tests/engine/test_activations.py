"""The memory of a denoiser's calls: measured, kept, and what is decided by it."""

from __future__ import annotations

import shutil
import threading

import pytest
import torch

from toolkit.bench.shapes import EIGHT, Shape
from toolkit.engine.activations import Activations
from toolkit.engine.coalescer import Coalescer
from toolkit.engine.denoiser import Seat
from toolkit.engine.manager import PipelineManager
from toolkit.models import ModelIndex

CPU = torch.device("cpu")
CELLS = 16 * 16


class Counted:
    """A meter whose calls took what the test says, one after the other, the last again and again."""

    def __init__(self, *taken: int) -> None:
        self.left, self.starts = list(taken), 0

    def start(self) -> None:
        self.starts += 1

    def taken(self) -> int:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def measure(activations: Activations, rows: int, cells: int, times: int = 1) -> None:
    for _ in range(times):
        with activations.measured(rows, cells):
            pass


def known(free: int) -> Activations:
    """A row is known to take 500 bytes, and nothing more is measured."""
    activations = Activations(CPU, meter=Counted(1000), free=lambda: free)
    measure(activations, 2, CELLS)
    activations.meter = None
    return activations


def test_without_a_meter_nothing_is_measured_and_everything_fits():
    activations = Activations(CPU, free=lambda: 0)
    measure(activations, 2, CELLS)
    assert activations.needed(16, CELLS) == 0 and activations.fits(16, CELLS)


def test_the_least_of_three_counts_and_other_sizes_are_worked_out_from_it():
    meter = Counted(900, 600, 700, 1)
    activations = Activations(CPU, meter=meter, free=lambda: 3000)
    assert activations.needed(2, CELLS) == 0
    measure(activations, 2, CELLS, times=5)
    assert meter.starts == 3, "what a call takes does not change any more"
    assert activations.needed(2, CELLS) == 600
    assert activations.needed(8, CELLS) == 2400 and activations.fits(8, CELLS)
    assert activations.needed(2, 4 * CELLS) == 2400
    assert not activations.fits(10, CELLS)
    meter.left = [1000]
    measure(activations, 2, 4 * CELLS)
    assert activations.needed(1, 4 * CELLS) == 500, "of its own size, where one was measured"


def test_a_call_that_fails_teaches_nothing():
    activations = Activations(CPU, meter=Counted(5))
    with pytest.raises(MemoryError), activations.measured(2, CELLS):
        raise MemoryError
    assert activations.needed(2, CELLS) == 0


def test_what_was_measured_is_there_after_a_restart(tmp_path):
    file = tmp_path / "engines" / "activations" / "one.json"
    measure(Activations(CPU, file, Counted(640)), 4, CELLS, times=3)
    assert Activations(CPU, file).needed(4, CELLS) == 640
    file.write_text('[[1, "many"]]')
    assert Activations(CPU, file).needed(4, CELLS) == 0


def test_as_many_rows_share_a_call_as_have_room():
    shape = Shape("tiny", CPU, torch.float32)
    coalescer = Coalescer(shape.unet)
    coalescer.activations = known(free=4500)
    drawn: dict[int, torch.Tensor] = {}
    most: list[int] = []

    def draw(index: int) -> None:
        with torch.no_grad(), coalescer.job(f"person {index}") as turn:
            drawn[index] = shape.draw(Seat(turn, shape.unet, calls=EIGHT[index].steps), EIGHT[index])
            most.append(turn.rows)

    threads = [threading.Thread(target=draw, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 8, "nine rows need 4500 bytes, and a tenth more for what heaps lose between their blocks"

    alone = Coalescer(shape.unet)
    alone.activations = known(free=600)
    with torch.no_grad(), alone.job("one") as turn:
        halves = shape.draw(Seat(turn, shape.unet, calls=EIGHT[0].steps), EIGHT[0])
    assert alone.batches == 2 * EIGHT[0].steps, "two rows don't fit, so each has a call"
    assert (halves - drawn[0]).abs().max() < 1e-3


def test_models_that_nobody_uses_go_before_a_call_that_needs_their_room(checkpoints, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(checkpoints / "tiny", tmp_path / name)
    index = ModelIndex([tmp_path])
    manager = PipelineManager("float32", budget=2**30)
    with manager.lease(index.find("one")), manager.lease(index.find("two")) as components:
        components.coalescer.activations = Activations(CPU, meter=Counted(2**29))
        measure(components.coalescer.activations, 2, CELLS)
    with manager.lease(index.find("two")) as components:
        manager.reserve(components, 2, CELLS)
        assert {fact["id"] for fact in manager.loaded()} == {"one", "two"}
        manager.reserve(components, 8, CELLS)
        assert {fact["id"] for fact in manager.loaded()} == {"two"}
    manager.close()

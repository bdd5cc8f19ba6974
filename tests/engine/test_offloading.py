"""A model larger than its budget is drawn with a denoiser that only passes through, and the pictures are the same."""

from __future__ import annotations

import pytest
import torch

from tests.engine.checkpoint_makers import write_checkpoint
from tests.engine.test_lora import made, predicted
from toolkit.engine.adapters.lora import LoraShelf
from toolkit.engine.adapters.sets import LoraSet, Use
from toolkit.engine.manager import PipelineManager
from toolkit.models import ModelIndex
from toolkit.studio import ROOT


@pytest.fixture(scope="module")
def model():
    return ModelIndex([ROOT / "models" / "checkpoints"]).find("limner-starter")


def test_only_what_is_larger_than_the_budget_passes_through(model):
    bytes_of = 4 * model.elements()
    assert 0 < 4 * model.elements("unet") < bytes_of
    for budget, passing in ((2 * bytes_of, False), (bytes_of // 2, True)):
        manager = PipelineManager("float32", budget=budget, passing=True)
        with manager.lease(model) as components:
            assert components.passing is passing
            assert components.bytes < bytes_of * 1.1 and (components.bytes < bytes_of / 2) is passing
            assert [one["passing"] for one in manager.loaded()] == [passing]
        manager.close()
    with PipelineManager("float32", budget=1, passing=False).lease(model) as components:
        assert not components.passing


def test_a_checkpoint_counts_its_components(tmp_path):
    write_checkpoint(tmp_path / "tiny.safetensors", "sdxl")
    tiny = ModelIndex([tmp_path]).find("tiny")
    parts = [tiny.elements(name) for name in tiny.row.components]
    assert all(parts) and sum(parts) == tiny.elements()


def test_it_predicts_the_same_with_loras_merged_and_gated_and_they_leave_no_trace(model, tmp_path):
    found = []
    for budget in (2**40, 1):
        with PipelineManager("float32", budget=budget, passing=True).lease(model) as components:
            shelf = LoraShelf(components)
            one, two = (shelf.take(made(components, tmp_path / f"{n}.safetensors", seed=900 * n)) for n in (1, 2))
            sets = [LoraSet((Use(one, 0.8, 0.0),)), LoraSet(), LoraSet((Use(two, 0.5, 0.0), Use(one, 0.2, 0.0)))]
            merged = predicted(components, [(0, sets[0])])[0]
            gated = predicted(components, list(enumerate(sets)))
            plain = predicted(components, [(0, LoraSet())])[0]
            found.append([merged, *gated, plain])
    for resident, passing in zip(*found, strict=True):
        assert torch.equal(resident.isfinite(), passing.isfinite()) and (resident - passing).abs().max() < 1e-5
    assert (found[1][0] - found[1][-1]).abs().max() > 1e-3

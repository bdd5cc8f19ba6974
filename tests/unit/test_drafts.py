"""Drafts: which files are distilled, how each is sampled, and which one fits a model."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from toolkit.drafts import draft_lora, drafted, way_of
from toolkit.errors import RequestError
from toolkit.models import ModelIndex
from toolkit.request import GenerationRequest
from toolkit.studio import ROOT


@pytest.mark.parametrize(
    ("name", "sampler", "steps"),
    [
        ("lcm-lora-sdv1-5", "lcm", 6),
        ("sdxl_lightning_4step_lora", "euler", 4),
        ("Hyper-SD15-8steps-lora", "tcd", 8),
        ("Hyper-SDXL-1step-lora", "tcd", 1),
        ("sd_xl_turbo_1.0", "euler_a", 4),
        ("limner-starter-draft", "ddim", 4),
    ],
)
def test_a_name_tells_the_way(name, sampler, steps):
    assert (way_of(name).sampler, way_of(name).steps) == (sampler, steps)


@pytest.mark.parametrize("name", ["limner-starter-neon", "dreamshaper_8", "welcome", "overdraft_9step"])
def test_other_names_tell_none(name):
    assert way_of(name) is None


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models" / "loras"
    folder.mkdir(parents=True)
    tensors = {"lora_unet_a.lora_up.weight": np.zeros((1, 1), np.float32)}
    save_file(tensors, folder / "limner-starter-draft.safetensors")
    save_file(tensors, folder / "lcm.safetensors", {"modelspec.architecture": "stable-diffusion-v1/lora"})
    save_file(tensors, folder / "lightning_xl.safetensors", {"ss_base_model_version": "sdxl_base_v1-0"})
    return ModelIndex([ROOT / "models" / "checkpoints", tmp_path / "models"])


def test_a_model_gets_its_own_lora_and_its_few_steps(models):
    model = models.find("limner-starter")
    found = drafted(GenerationRequest("a fish", draft=True), model, models)
    assert [use.name for use in found.loras] == ["limner-starter-draft"]
    assert (found.sampling.steps, found.sampling.guidance, found.sampling.sampler, found.draft) == (
        4,
        1.0,
        "ddim",
        False,
    )
    again = drafted(found.with_(draft=True), model, models)
    assert again == found
    own = drafted(GenerationRequest("a fish", draft=True).with_(steps=7, sampler="euler"), model, models)
    assert (own.sampling.steps, own.sampling.sampler, own.sampling.schedule) == (7, "euler", "auto")


def test_other_models_get_one_of_their_family(models):
    starter = models.find("limner-starter")
    assert draft_lora(starter, models).name == "limner-starter-draft"
    other = replace(starter, id="big-one", card={**starter.card, "known_words": {}})
    assert draft_lora(other, models).name == "lcm"


def test_a_model_without_any_is_told_what_to_get(tmp_path):
    models = ModelIndex([ROOT / "models" / "checkpoints" / "limner-starter", tmp_path])
    model = models.find(str(ROOT / "models" / "checkpoints" / "limner-starter"))
    with pytest.raises(RequestError, match="put an LCM") as refused:
        drafted(GenerationRequest("a fish", draft=True), model, ModelIndex([tmp_path]))
    assert refused.value.field == "draft"

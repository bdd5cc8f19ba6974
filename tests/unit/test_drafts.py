"""Drafts: which files are distilled, how each is sampled, and which one fits a model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from toolkit.distilled import way_of, way_of_file
from toolkit.drafts import can_draft, draft_lora, drafted, few_step_loras
from toolkit.errors import RequestError
from toolkit.models import ModelIndex
from toolkit.prepare import prepare
from toolkit.request import GenerationRequest
from toolkit.studio import ROOT
from toolkit.styles import StyleLibrary


@pytest.mark.parametrize(
    ("name", "sampler", "steps"),
    [
        ("lcm-lora-sdv1-5", "lcm", 6),
        ("sdxl_lightning_4step_lora", "euler", 4),
        ("Hyper-SD15-8steps-lora", "tcd", 8),
        ("Hyper-SDXL-1step-lora", "tcd", 1),
        ("sd_xl_turbo_1.0", "euler_a", 4),
        ("limner-starter-draft", "ddim", 4),
        ("juggernautXL_v9Rdphoto2Lightning", "euler", 4),
        ("dreamshaperXL_lightningDPMSDE", "euler", 4),
        ("dmd2_sdxl_4step_lora", "lcm", 4),
        ("pcm_sd15_normalcfg_8step", "ddim", 8),
    ],
)
def test_a_name_tells_the_way(name, sampler, steps):
    assert (way_of(name).sampler, way_of(name).steps) == (sampler, steps)


@pytest.mark.parametrize(
    "name",
    ["limner-starter-neon", "dreamshaper_8", "welcome", "overdraft_9step", "hyperrealism_xl", "lightning-bolts",
     "turbocharged_cars"],
)  # fmt: skip
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
    asked = GenerationRequest("a fish", draft=True)
    found = prepare(asked, models, StyleLibrary({}))
    assert [use.name for use in found.loras] == ["limner-starter-draft"]
    sampling = found.sampling
    assert (sampling.steps, sampling.guidance, sampling.sampler, found.draft) == (4, 1.0, "ddim", False)
    assert prepare(found.with_(draft=True), models, StyleLibrary({})) == found
    own = prepare(asked.with_(steps=7, sampler="euler"), models, StyleLibrary({})).sampling
    assert (own.steps, own.sampler, own.guidance) == (7, "euler", 1.0)


def test_a_distilled_lora_is_sampled_as_it_needs_also_when_it_is_only_named(models):
    plain, half, named = (
        prepare(GenerationRequest(f"a fish{tag}"), models, StyleLibrary({})).sampling
        for tag in ("", " <lora:limner-starter-draft:0.3>", " <lora:limner-starter-draft:1>")
    )
    assert plain == half != named
    assert (named.steps, named.guidance, named.sampler) == (4, 1.0, "ddim")
    own = GenerationRequest("a fish <lora:limner-starter-draft:1>").with_(guidance=3.0)
    assert prepare(own, models, StyleLibrary({})).sampling.guidance == 3.0


@pytest.mark.parametrize(
    ("facts", "word", "steps"),
    [
        ({"base": "SDXL Lightning"}, "lightning", 4),
        ({"base": "SD 1.5 LCM", "title": "Fish style"}, "lcm", 6),
        ({"base": "SDXL Hyper", "title": "Hyper 12 steps"}, "hyper", 12),
        ({"architecture": "stable-diffusion-xl-turbo-v1"}, "turbo", 4),
        ({"title": "SDXL Lightning 8step"}, "lightning", 8),
        ({"marks": ["guided"], "base": "sd_v1"}, "lcm", 4),
    ],
)
def test_what_stands_in_a_file_tells_the_way_whatever_its_name(facts, word, steps):
    way = way_of_file("fish_style_v3", facts)
    assert (way.word, way.steps) == (word, steps)
    assert way_of_file("fish_style_v3", {"base": "sd_v1", "title": "Lightning bolts"}) is None


def test_a_note_of_civitai_beside_a_lora_tells_it_too(models):
    starter = models.find("limner-starter")
    other = replace(starter, id="big-one", card={**starter.card, "known_words": {}})
    models = ModelIndex([models.folders[1]])
    folder = models.folders[0] / "loras"
    (folder / "lcm.safetensors").unlink()
    tensors = {"lora_unet_a.lora_up.weight": np.zeros((1, 1), np.float32)}
    save_file(tensors, folder / "fish_fast.safetensors", {"ss_base_model_version": "sd_v1"})
    assert draft_lora(other, models) is None
    (folder / "fish_fast.civitai.info").write_text(json.dumps({"baseModel": "SD 1.5 LCM"}))
    assert draft_lora(other, models).name == "fish_fast"
    assert can_draft(other, models, few_step_loras(models))


def test_a_distilled_checkpoint_has_its_sampling_as_its_usual_one(tmp_path):
    header = {"model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3), "cond_stage_model.transformer.a": (1,)}
    for name, more in {"photoXL_v4Lightning_4step": {}, "told": _GUIDED, "plain": {}}.items():
        made = {key: np.zeros(shape, np.float16) for key, shape in {**header, **more}.items()}
        save_file(made, tmp_path / f"{name}.safetensors")
    (tmp_path / "plain.json").write_text(json.dumps({"defaults": {"steps": 33}}))
    index = {model.id: model for model in ModelIndex([tmp_path]).list()}
    fast, told, plain = (index[name].card for name in ("photoXL_v4Lightning_4step", "told", "plain"))
    assert fast["defaults"] == {"sampler": "euler", "schedule": "sgm_uniform", "steps": 4, "guidance": 1.0}
    assert (told["few_steps"], told["defaults"]["sampler"], told["defaults"]["guidance"]) == ("lcm", "lcm", 8.0)
    assert "few_steps" not in plain and plain["defaults"]["steps"] == 33
    drawn = drafted(GenerationRequest("a fish", draft=True), index["told"], ModelIndex([tmp_path]))
    assert drawn == GenerationRequest("a fish")


_GUIDED = {"model.diffusion_model.time_embed.cond_proj.weight": (8, 16)}


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

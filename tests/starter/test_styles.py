"""The style LoRAs as anyone would load them: plain diffusers, with peft behind it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open

from toolkit.starter.look_judge import judge_looks
from toolkit.starter.looks import LOOKS
from toolkit.starter.score_styles import LORAS, evaluate_styles, style_file

BASE = Path(__file__).parents[2] / "models" / "checkpoints" / "limner-starter"
PROMPT = "a blue star on a yellow background"


@pytest.fixture(scope="module")
def pipeline():
    loaded = StableDiffusionPipeline.from_pretrained(BASE)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def draw(pipeline) -> np.ndarray:
    image = pipeline(
        PROMPT, num_inference_steps=10, guidance_scale=1.7, generator=torch.Generator().manual_seed(3), output_type="np"
    ).images[0]
    return (image * 255).round().astype(np.uint8)


@pytest.mark.parametrize("look", LOOKS)
def test_a_file_is_small_and_says_what_it_is(look):
    file = style_file(look)
    assert file.stat().st_size <= 700_000
    with safe_open(file, "pt") as opened:
        header, names = opened.metadata(), list(opened.keys())
    assert header["modelspec.title"] == f"Limner starter {look}"
    assert header["modelspec.license"] == "Apache-2.0"
    assert header["ss_base_model"] == "limner-starter"
    assert int(header["ss_network_dim"]) <= 16
    card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert {"title", "licence", "description", "made", "scores"} <= card.keys()
    kohya = all(name.startswith("lora_unet_") for name in names)
    assert kohya == (card["naming"] == "kohya")


def test_both_namings_are_shipped():
    named = {json.loads(style_file(look).with_suffix(".json").read_text())["naming"] for look in LOOKS}
    assert named == {"diffusers", "kohya"}


def test_the_weight_blends_from_the_base_to_the_look(pipeline):
    plain = draw(pipeline)
    pipeline.load_lora_weights(LORAS, weight_name="limner-starter-neon.safetensors", adapter_name="neon")
    pictures = []
    for weight in (0.0, 0.5, 1.0):
        pipeline.set_adapters("neon", weight)
        pictures.append(draw(pipeline))
    pipeline.unload_lora_weights()
    changes = [np.abs(picture.astype(int) - plain).mean() for picture in pictures]
    assert changes[0] < 0.5
    assert changes[0] < changes[1] < changes[2]
    assert changes[2] > 40
    assert judge_looks(pictures)[2] == ("neon", "star")


def test_two_looks_can_be_loaded_at_once(pipeline):
    for look in ("linocut", "risograph"):
        pipeline.load_lora_weights(LORAS, weight_name=f"limner-starter-{look}.safetensors", adapter_name=look)
    pictures = []
    for weights in ([1.0, 0.0], [0.0, 1.0]):
        pipeline.set_adapters(["linocut", "risograph"], weights)
        pictures.append(draw(pipeline))
    pipeline.unload_lora_weights()
    assert [look for look, _ in judge_looks(pictures)] == ["linocut", "risograph"]


def test_a_look_is_drawn_as_its_card_says():
    scores = evaluate_styles(count=4)
    assert np.mean([values["style"] for values in scores.values()]) >= 0.75
    assert np.mean([values["thing"] for values in scores.values()]) >= 0.65

"""The few-step LoRA as anyone would load it: plain diffusers, four steps, no guidance."""

import json

import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline
from safetensors import safe_open

from toolkit.starter.paths import FOLDER
from toolkit.starter.score_draft import DRAFT, evaluate_draft


def test_the_file_is_small_and_says_how_to_use_it():
    assert DRAFT.stat().st_size <= 2_000_000
    with safe_open(DRAFT, "pt") as opened:
        header = opened.metadata()
    assert "4 steps" in header["modelspec.usage_hint"]
    assert header["ss_base_model"] == "limner-starter"
    card = json.loads(DRAFT.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["defaults"]["steps"] == 4
    assert card["defaults"]["guidance"] == 1.0


def test_ddim_and_euler_take_the_same_four_steps():
    pipeline = StableDiffusionPipeline.from_pretrained(FOLDER)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(DRAFT.parent, weight_name=DRAFT.name)
    pictures = []
    for scheduler in (DDIMScheduler, EulerDiscreteScheduler):
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
        generator = torch.Generator().manual_seed(5)
        pictures.append(
            pipeline(
                "a red fish on a white background", num_inference_steps=4, guidance_scale=1.0, generator=generator,
                output_type="pt",
            ).images
        )  # fmt: skip
    assert (pictures[0] - pictures[1]).abs().mean() < 0.03


def test_four_steps_draw_what_the_card_promises():
    assert evaluate_draft(count=32).values["all"] >= 0.7

"""The shipped starter as anyone would load it: plain diffusers, no dtype, on a CPU."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UniPCMultistepScheduler,
)  # fmt: skip

from toolkit.errors import ModelError
from toolkit.starter.evaluate import collect, prompts
from toolkit.starter.measure import WHOLE, background_right, placed_right, thing_colour
from toolkit.starter.publish import check_trained
from toolkit.starter.vocabulary import all_words
from toolkit.starter.world import COLOURS, THINGS, Scene, Thing, held_out

FOLDER = Path(__file__).parents[2] / "models" / "checkpoints" / "limner-starter"
CARD = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
RED_CIRCLE = Scene((Thing("circle", "red"),), "white")


@pytest.fixture(scope="module")
def pipeline():
    loaded = StableDiffusionPipeline.from_pretrained(FOLDER)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def draw(pipeline, prompt: str, steps: int = 20) -> np.ndarray:
    generator = torch.Generator().manual_seed(1)
    image = pipeline(
        prompt, num_inference_steps=steps, guidance_scale=1.7, generator=generator, output_type="np"
    ).images[0]
    return (image * 255).round().astype(np.uint8)


def test_the_folder_is_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 18 * 1024 * 1024


@pytest.mark.parametrize(
    "scheduler",
    [
        DDIMScheduler, EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, DPMSolverMultistepScheduler,
        UniPCMultistepScheduler,
    ],
)  # fmt: skip
def test_a_red_circle_on_white_with_every_sampler(pipeline, scheduler):
    shipped = pipeline.scheduler
    pipeline.scheduler = scheduler.from_config(shipped.config)
    picture = draw(pipeline, "a red circle on a white background")
    pipeline.scheduler = shipped
    assert picture.shape == (256, 256, 3)
    assert background_right(picture, RED_CIRCLE)
    assert thing_colour(picture, RED_CIRCLE, WHOLE) == "red"
    assert placed_right(picture, RED_CIRCLE)


def test_every_word_is_one_token(pipeline):
    assert [word for word in all_words() if len(pipeline.tokenizer(word).input_ids) != 3] == []


def test_the_evaluation_asks_only_for_held_out_combinations():
    for scene, text in prompts(30, 1, CARD, first=7):
        thing = scene.things[0]
        assert held_out(thing.kind, thing.colour, scene.background)
        assert thing.kind in text
        assert thing.colour in text
    assert prompts(5, 2, CARD, first=7) == prompts(5, 2, CARD, first=7)


def test_it_draws_what_the_card_promises(pipeline):
    verdicts = collect(pipeline, CARD, 24, 1)
    assert sum(verdict.background for verdict in verdicts) >= 0.75 * len(verdicts)
    assert sum(verdict.colours[0] for verdict in verdicts) >= 0.75 * len(verdicts)
    assert sum(verdict.things[0] for verdict in verdicts) >= 0.7 * len(verdicts)


def test_the_latents_preview_linearly(pipeline):
    from toolkit.starter.autoencoder import to_tensor
    from toolkit.starter.drawing import draw_scene

    pixels = to_tensor(draw_scene(RED_CIRCLE, random.Random(0))[None])
    with torch.no_grad():
        latents = pipeline.vae.encode(pixels).latents[0].permute(1, 2, 0)
    seen = latents @ torch.tensor(CARD["latent_rgb"]["matrix"]) + torch.tensor(CARD["latent_rgb"]["bias"])
    small = torch.nn.functional.avg_pool2d(pixels, 8)[0].permute(1, 2, 0) / 2 + 0.5
    assert (seen - small).abs().mean() < 0.03


def test_a_model_that_draws_few_things_is_not_published(tmp_path):
    check_trained(set(THINGS[:6]), tmp_path)
    with pytest.raises(ModelError, match=f"only 7 of {len(THINGS)} things") as refused:
        check_trained(set(THINGS[7:]), tmp_path)
    assert str(refused.value).endswith(f"--stage things --resume --work {tmp_path} --minutes 60")
    torch.save({"budget": {"spent": 6000.0, "step": 9}}, tmp_path / "things.pt")
    with pytest.raises(ModelError, match=r"colours.*--minutes 160"):
        check_trained(set(COLOURS), tmp_path)

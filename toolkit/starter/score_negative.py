"""Scores negative prompts on the base: how rarely a thing has a colour that the negative prompt names."""

from collections import Counter
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from toolkit.starter.evaluate import BATCH, GUIDANCE, STEPS, wilson
from toolkit.starter.measure import WHOLE, thing_colour
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import Score, write_sheet
from toolkit.starter.world import Scene, Thing

PROMPT, COLOUR = "a fish", "blue"
ANY = Scene((Thing("fish", "red"),), "white")


def draw_without(
    pipeline: StableDiffusionPipeline, prompt: str, negative: str, seeds: list[int], guidance: float = GUIDANCE
) -> list[np.ndarray]:
    """One uint8 picture (256, 256, 3) of the prompt for each seed."""
    pictures = []
    for start in range(0, len(seeds), BATCH):
        part = seeds[start : start + BATCH]
        images = pipeline(
            [prompt] * len(part), negative_prompt=[negative] * len(part), num_inference_steps=STEPS,
            guidance_scale=guidance, generator=[torch.Generator("cpu").manual_seed(seed) for seed in part],
            output_type="np",
        ).images  # fmt: skip
        pictures += list((images * 255).round().astype(np.uint8))
    return pictures


def named_colours(pictures: list[np.ndarray]) -> list[str]:
    """The colour of the thing in each picture."""
    return [thing_colour(picture, ANY, WHOLE) for picture in pictures]


def evaluate_negative(pipeline: StableDiffusionPipeline, quick: bool = False, sheet: Path | None = None) -> Score:
    """The share of fish in blue with and without "blue" in the negative prompt, at the usual guidance.

    The details say the same of the colour that fish without a negative prompt have most often.
    """
    count = 24 if quick else 100
    seeds = list(range(EVALUATION_SEED + 9_000_000, EVALUATION_SEED + 9_000_000 + count))
    plain = draw_without(pipeline, PROMPT, "", seeds)
    names = Counter(named_colours(plain))
    common, times = names.most_common(1)[0]
    never, seldom = (draw_without(pipeline, PROMPT, negative, seeds) for negative in (COLOUR, common))
    if sheet:
        rows = [picture for pair in zip(plain[:18], seldom[:18], strict=True) for picture in pair]
        titles = [f"{PROMPT}{end}" for end in ("", f", not {common}")] * 3
        write_sheet([rows[start : start + 6] for start in range(0, len(rows), 6)], titles, sheet)
    blue, left = named_colours(never).count(COLOUR), named_colours(seldom).count(common)
    shares = {"without_negative": names[COLOUR], "commonest": times, "commonest_negative": left}
    return Score(
        {"blue": round(blue / count, 4)},
        {"blue": wilson(blue, count)},
        {name: round(number / count, 4) for name, number in shares.items()},
    )

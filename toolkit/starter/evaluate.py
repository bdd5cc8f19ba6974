"""Scores a starter folder on combinations and seeds that training never saw."""

import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from toolkit.starter.autoencoder import psnr
from toolkit.starter.captions import caption
from toolkit.starter.judge import judge_things, load_judge
from toolkit.starter.measure import HALVES, WHOLE, background_right, thing_colour
from toolkit.starter.rendering import EVALUATION_SEED, render_scenes
from toolkit.starter.world import Scene, sample_scene

STEPS, GUIDANCE, BATCH = 20, 3.0, 8


@dataclass
class Verdict:
    """What was right in one picture; `things` and `colours` hold one answer for each thing."""

    scene: Scene
    prompt: str
    background: bool
    things: list[bool]
    colours: list[bool]


def prompts(count: int, things: int) -> list[tuple[Scene, str]]:
    """Evaluation scenes with held-out combinations and their captions, the same ones every time."""
    found = []
    for seed in range(EVALUATION_SEED + 10_000 * things, EVALUATION_SEED + 10_000 * things + 100 * count):
        rng = random.Random(seed)
        scene = sample_scene(rng, held=True, count=things)
        text, said = caption(scene, rng)
        if "unsaid" not in said.values():
            found.append((scene, text))
        if len(found) == count:
            break
    return found


def draw(pipeline: StableDiffusionPipeline, texts: list[str], seeds: list[int]) -> list[np.ndarray]:
    """One uint8 picture (256, 256, 3) for each text and seed, in batches of 8."""
    pictures = []
    for start in range(0, len(texts), BATCH):
        part = slice(start, start + BATCH)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds[part]]
        images = pipeline(texts[part], num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators, output_type="np").images
        pictures += list((images * 255).round().astype(np.uint8))
    return pictures


def judge_pictures(pictures: list[np.ndarray], asked: list[tuple[Scene, str]]) -> list[Verdict]:
    """A verdict for each picture."""
    judge, verdicts = load_judge(), []
    for picture, (scene, text) in zip(pictures, asked, strict=True):
        windows = list(HALVES) if len(scene.things) == 2 else [WHOLE]
        kinds = judge_things(judge, [picture] * len(windows), windows)
        verdicts.append(
            Verdict(
                scene,
                text,
                background_right(picture, scene),
                [kind == thing.kind for kind, thing in zip(kinds, scene.things, strict=True)],
                [thing_colour(picture, scene, w) == thing.colour for w, thing in zip(windows, scene.things, strict=True)],
            )
        )
    return verdicts


def wilson(right: int, count: int) -> list[float]:
    """The 95 % interval of a share (Wilson 1927), as two numbers in 0..1."""
    z, share = 1.96, right / count
    middle, half = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return [round((middle - half) / (1 + z * z / count), 4), round((middle + half) / (1 + z * z / count), 4)]


def load_pipeline(folder: Path) -> StableDiffusionPipeline:
    """The folder as a quiet pipeline, on the GPU when there is one."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to("cuda" if torch.cuda.is_available() else "cpu")


def collect(pipeline: StableDiffusionPipeline, ones: int, twos: int) -> tuple[list[Verdict], list[Verdict]]:
    """Verdicts on `ones` prompts of one thing and `twos` of two things."""
    verdicts = []
    for things, count in ((1, ones), (2, twos)):
        asked = prompts(count, things)
        seeds = [EVALUATION_SEED + 1_000_000 * things + index for index in range(count)]
        verdicts.append(judge_pictures(draw(pipeline, [text for _, text in asked], seeds), asked))
    return verdicts[0], verdicts[1]


def evaluate(folder: Path, quick: bool = False) -> dict:
    """The scores of a folder: shares in 0..1 with their 95 % intervals, and the autoencoder's mean PSNR in dB."""
    pipeline = load_pipeline(folder)
    single, double = collect(pipeline, 40 if quick else 200, 16 if quick else 100)
    marks = {
        "background": [verdict.background for verdict in single],
        "colour": [verdict.colours[0] for verdict in single],
        "thing": [verdict.things[0] for verdict in single],
        "all": [verdict.background and verdict.colours[0] and verdict.things[0] for verdict in single],
        "two": [all(verdict.things) and all(verdict.colours) for verdict in double],
    }
    scores = {name: round(sum(right) / len(right), 4) for name, right in marks.items()}
    intervals = {name: wilson(sum(right), len(right)) for name, right in marks.items()}
    _, pictures = render_scenes(EVALUATION_SEED + 5_000_000, 24 if quick else 200)
    return {
        "base": scores | {"intervals": intervals, "prompts": {"one": len(single), "two": len(double)}},
        "vae": {"psnr": round(psnr(pipeline.vae.to("cpu"), pictures).mean().item(), 2)},
    }

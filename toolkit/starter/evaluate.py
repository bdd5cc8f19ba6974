"""Scores a starter folder on combinations and seeds that training never saw."""

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from PIL.Image import Image

from toolkit.starter.autoencoder import psnr
from toolkit.starter.captions import caption
from toolkit.starter.judge import judge_things, load_judge
from toolkit.starter.measure import HALVES, WHOLE, background_right, placed_right, thing_colour
from toolkit.starter.rendering import EVALUATION_SEED, render_scenes
from toolkit.starter.words import keep_known
from toolkit.starter.world import Scene, sample_scene

STEPS, GUIDANCE, BATCH = 20, 1.7, 8


@dataclass
class Verdict:
    """What was right in one picture; `things` and `colours` hold one answer for each thing."""

    scene: Scene
    prompt: str
    background: bool
    things: list[bool]
    colours: list[bool]
    placed: bool

    @property
    def whole(self) -> bool:
        """Whether background, colours and things are all right."""
        return self.background and all(self.things) and all(self.colours)


def words_of(scene: Scene) -> set[str]:
    """The words a scene is asked for with; those of a plain background and the flat style may go unsaid."""
    words = {scene.kind, scene.style, scene.background, scene.ground} | {thing.place for thing in scene.things}
    words |= {word for thing in scene.things for word in (thing.kind, thing.colour, thing.size)}
    return words - {None, "plain", "flat"}


def prompts(
    count: int, things: int, card: Mapping[str, Any], first: int, word: str | None = None
) -> list[tuple[Scene, str]]:
    """Scenes with held-out combinations from seed `first` on and their captions, the same ones every time.

    The card names every word of them; with `word`, each scene is asked for with it.
    """
    found, seed = [], first
    while len(found) < count:
        rng = random.Random(seed)
        scene = sample_scene(rng, held=True, count=things)
        text, said = caption(scene, rng)
        words = words_of(scene)
        fits = words <= set(card["known_words"]) and (word is None or word in words)
        if fits and "unsaid" not in said.values():
            found.append((scene, keep_known(text, card)))
        seed += 1
    return found


def draw(
    pipeline: DiffusionPipeline, texts: list[str], seeds: list[int], images: list[Image] | None = None, **options: Any
) -> list[np.ndarray]:
    """One uint8 picture (256, 256, 3) for each text and seed, in batches of 8; `options` go to the pipeline.

    `images` are the pictures it works from, one for each text.
    """
    options = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE} | options
    pictures = []
    for start in range(0, len(texts), BATCH):
        part = slice(start, start + BATCH)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds[part]]
        given = {"image": images[part]} if images else {}
        found = pipeline(texts[part], generator=generators, output_type="np", **given, **options).images
        pictures += list((found * 255).round().astype(np.uint8))
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
                [thing_colour(picture, scene, w) == one.colour for w, one in zip(windows, scene.things, strict=True)],
                len(scene.things) == 2 or placed_right(picture, scene),
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


def collect(
    pipeline: StableDiffusionPipeline, card: Mapping[str, Any], count: int, things: int, first: int = EVALUATION_SEED
) -> list[Verdict]:
    """Verdicts on `count` prompts of one or two things."""
    return verdicts_on(pipeline, prompts(count, things, card, first + 1_000_000 * things), first)


def verdicts_on(pipeline: StableDiffusionPipeline, asked: list[tuple[Scene, str]], first: int) -> list[Verdict]:
    """Verdicts on given prompts, drawn with the seeds from `first` on."""
    return judge_pictures(draw(pipeline, [text for _, text in asked], list(range(first, first + len(asked)))), asked)


def base_marks(
    pipeline: StableDiffusionPipeline, card: Mapping[str, Any], quick: bool = False
) -> dict[str, list[bool]]:
    """What was right in each picture of one thing, by name, and under "two" in each of two."""
    single = collect(pipeline, card, 40 if quick else 200, 1)
    double = collect(pipeline, card, 16 if quick else 100, 2)
    return {
        "background": [verdict.background for verdict in single],
        "colour": [verdict.colours[0] for verdict in single],
        "thing": [verdict.things[0] for verdict in single],
        "all": [verdict.whole for verdict in single],
        "two": [all(verdict.things) and all(verdict.colours) for verdict in double],
    }


def held_out_scenes(quick: bool = False) -> np.ndarray:
    """The scenes that the autoencoder is scored on, of combinations that no training picture had."""
    return render_scenes(EVALUATION_SEED + 5_000_000, 24 if quick else 200, held=True)[1]


def evaluate(folder: Path, quick: bool = False) -> dict:
    """The scores of a folder: shares in 0..1 with their 95 % intervals, and the autoencoder's mean PSNR in dB."""
    pipeline = load_pipeline(folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    marks = base_marks(pipeline, card, quick)
    return {
        "base": {name: round(sum(right) / len(right), 4) for name, right in marks.items()},
        "vae": {"psnr": round(psnr(pipeline.vae.to("cpu"), held_out_scenes(quick)).mean().item(), 2)},
        "intervals": {name: wilson(sum(right), len(right)) for name, right in marks.items()},
        "prompts": {"one": len(marks["all"]), "two": len(marks["two"])},
    }

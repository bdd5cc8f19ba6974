"""Scores the lines ControlNet as anyone would use it: edges of held-out scenes, other colours in the prompt."""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, EulerAncestralDiscreteScheduler, StableDiffusionControlNetPipeline
from PIL import Image

from toolkit.starter.cli import FOLDER
from toolkit.starter.evaluate import draw, judge_pictures, prompts
from toolkit.starter.lines import canny, edge_f1, pair, scribble
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import write_sheet
from toolkit.starter.world import Scene

LINES = FOLDER.parents[1] / "controlnet" / "limner-starter-lines"
FIRST = EVALUATION_SEED + 30_000_000
SHOWN, GUIDANCE = 8, 1.0
TITLES = ["edges", "weight 1", "weight 0", "scribble", "from the scribble"]


def load_control(folder: Path = LINES) -> StableDiffusionControlNetPipeline:
    """The base with the ControlNet as a quiet pipeline, on the GPU when there is one.

    It samples as the card advises: fresh noise in every step mends the small errors that else add up along the lines.
    """
    control = ControlNetModel.from_pretrained(folder)
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(FOLDER, controlnet=control, safety_checker=None)
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to("cuda" if torch.cuda.is_available() else "cpu")


def as_picture(lines: np.ndarray) -> Image.Image:
    """Lines (h, w) of 0 or 255 as the RGB picture that a preprocessor hands over."""
    return Image.fromarray(lines).convert("RGB")


def requests(count: int) -> list[tuple[Scene, str, np.ndarray]]:
    """Held-out scenes, three in four of one thing, their prompts, and edges of the same lines in other colours.

    Every second scene whose prompt names no place or size has its things anywhere, where the base alone wouldn't
    draw them.
    """
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    asked = prompts(count - count // 4, 1, card, FIRST) + prompts(count // 4, 2, card, FIRST + 1_000_000)
    found, free = [], False
    for index, (scene, text) in enumerate(asked):
        movable = not any(thing.place or thing.size for thing in scene.things)
        free = movable and not free
        found.append((scene, text, pair(scene, FIRST + 10 * index, free)[1]))
    return found


def evaluate_control(count: int = 60, folder: Path = LINES, sheet: Path | None = None) -> dict[str, dict[str, float]]:
    """The mean edge F1 (2 px at 256 x 256) at weight 1 and 0, and the share with all colours as the prompt says.

    Colours are those of the background, with its kind, and of every thing.
    """
    pipeline, wanted = load_control(folder), requests(count)
    texts, seeds = [text for _, text, _ in wanted], list(range(FIRST, FIRST + count))
    lines = [as_picture(edges) for _, _, edges in wanted]
    on, off = (
        draw(pipeline, texts, seeds, lines, controlnet_conditioning_scale=weight, guidance_scale=GUIDANCE)
        for weight in (1.0, 0.0)
    )
    verdicts = judge_pictures(on, [(scene, text) for scene, text, _ in wanted])

    def agreement(pictures: list[np.ndarray]) -> float:
        found = [edge_f1(canny(picture), edges) for picture, (_, _, edges) in zip(pictures, wanted, strict=True)]
        return round(float(np.mean(found)), 4)

    if sheet:
        write_sheet(_rows(pipeline, wanted, on, off), TITLES * 2, sheet)
    colours = float(np.mean([verdict.background and all(verdict.colours) for verdict in verdicts]))
    return {"lines": {"f1_on": agreement(on), "f1_off": agreement(off), "colour": round(colours, 4)}}


def _rows(pipeline, wanted, on: list[np.ndarray], off: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Edges, pictures at weight 1 and 0, scribbles over the edges and their pictures; two scenes a row."""
    picks = [round(i * (len(wanted) - 1) / (SHOWN - 1)) for i in range(SHOWN)]
    rng = np.random.default_rng(FIRST)
    drawn = [as_picture(scribble(wanted[pick][2], rng)) for pick in picks]
    found = draw(pipeline, [wanted[pick][1] for pick in picks], picks, drawn, guidance_scale=GUIDANCE)
    cells = [
        [np.asarray(as_picture(wanted[pick][2])), on[pick], off[pick], np.asarray(scribbled), picture]
        for pick, scribbled, picture in zip(picks, drawn, found, strict=True)
    ]
    return [cells[i] + cells[i + 1] for i in range(0, SHOWN, 2)]

"""Scores the ControlNets as anyone would use them: edges of held-out scenes in other colours, depth of landscapes."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, EulerAncestralDiscreteScheduler, StableDiffusionControlNetPipeline
from PIL import Image

from toolkit.starter.asked import asked_of
from toolkit.starter.depth import anywhere, borders, colours_right, depth_map, layers_seen
from toolkit.starter.evaluate import draw, judge_pictures, prompts, wilson
from toolkit.starter.landscapes import Landscape, draw_with_depth
from toolkit.starter.lines import canny, edge_f1, pair, scribble
from toolkit.starter.paths import FOLDER
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import Score, mean_interval, share, write_sheet
from toolkit.starter.upscaler import soften
from toolkit.starter.world import Scene

CONTROLNETS = FOLDER.parents[1] / "controlnet"
FIRST, DEPTH_FIRST = EVALUATION_SEED + 30_000_000, EVALUATION_SEED + 35_000_000
SHOWN, GUIDANCE = 8, 1.0
TITLES = ["edges", "weight 1", "weight 0", "scribble", "from the scribble"]


def control_folder(kind: str, folder: Path = CONTROLNETS) -> Path:
    """Where the ControlNet of a kind lies."""
    return folder / f"limner-starter-{kind}"


def load_control(kind: str) -> StableDiffusionControlNetPipeline:
    """The base with the ControlNet as a quiet pipeline, on the GPU when there is one.

    It samples as the card advises: fresh noise in every step mends the small errors that else add up along the lines.
    """
    control = ControlNetModel.from_pretrained(control_folder(kind))
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(FOLDER, controlnet=control, safety_checker=None)
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to("cuda" if torch.cuda.is_available() else "cpu")


def as_picture(lines: np.ndarray) -> Image.Image:
    """Lines (h, w) of 0 or 255 as the RGB picture that a preprocessor hands over."""
    return Image.fromarray(lines).convert("RGB")


def requests(count: int) -> list[tuple[Scene, str, np.ndarray, np.ndarray]]:
    """Held-out scenes, three in four of one thing, their prompts, edges of the same lines in other colours, and pixels.

    Every second scene whose prompt names no place or size has its things anywhere, where the base alone wouldn't
    draw them.
    """
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    asked = prompts(count - count // 4, 1, card, FIRST) + prompts(count // 4, 2, card, FIRST + 1_000_000)
    found, free = [], False
    for index, (scene, text) in enumerate(asked):
        movable = not any(thing.place or thing.size for thing in scene.things)
        free = movable and not free
        pixels, edges = pair(scene, FIRST + 10 * index, free)
        found.append((scene, text, edges, pixels))
    return found


def depth_requests(count: int) -> list[tuple[Landscape, str, np.ndarray, np.ndarray]]:
    """Held-out landscapes, their prompts, what stands where, and pixels; the base alone would choose other horizons."""
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    found = []
    for index, (landscape, text) in enumerate(asked_of("landscape", count, DEPTH_FIRST, card)):
        rng = random.Random(DEPTH_FIRST + 10 * index)
        pixels, layers = draw_with_depth(landscape, rng, anywhere(landscape, rng))
        found.append((landscape, text, layers, pixels))
    return found


def evaluate_control(
    count: int = 60, kinds: tuple[str, ...] | None = None, sheets: Path | None = None
) -> dict[str, Score]:
    """For each kind that is there, the mean edge F1 (2 px at 256 x 256) at weight 1 and 0, and the share with all
    colours as the prompt says: of the background, with its kind, and of every thing; of the sky and every layer.

    A detail is the limit that the autoencoder sets: the F1 of drawings that it encoded and decoded. `sheets` is a
    folder for a PNG of each.
    """
    there = [kind for kind in kinds or SCORED if (control_folder(kind) / "config.json").exists()]
    return {kind: SCORED[kind](count, sheets) for kind in there}


def _on_and_off(pipeline, texts: list[str], first: int, hints: list[Image.Image]) -> list[list[np.ndarray]]:
    """The pictures at weight 1, and at weight 0."""
    seeds = list(range(first, first + len(texts)))
    return [
        draw(pipeline, texts, seeds, hints, controlnet_conditioning_scale=weight, guidance_scale=GUIDANCE)
        for weight in (1.0, 0.0)
    ]


def _scored(f1: list[list[float]], colours: list[bool]) -> Score:
    """The score from F1 at weight 1, at weight 0 and of drawings through the autoencoder, picture by picture."""
    on, off, limit = f1
    return Score(
        {"f1_on": share(on), "f1_off": share(off), "colour": share(colours)},
        {
            "f1_on": mean_interval(on, 4), "f1_off": mean_interval(off, 4),
            "colour": wilson(sum(colours), len(colours)),
        },
        {"f1_limit": share(limit)},
    )  # fmt: skip


def _softened(pipeline, wanted: list[tuple]) -> list[np.ndarray]:
    """The drawings themselves, encoded and decoded."""
    return list(soften(np.stack([pixels for *_, pixels in wanted]), pipeline.vae.to("cpu")))


def _score_lines(count: int, sheets: Path | None) -> Score:
    pipeline, wanted = load_control("lines"), requests(count)
    texts = [text for _, text, *_ in wanted]
    on, off = _on_and_off(pipeline, texts, FIRST, [as_picture(edges) for _, _, edges, _ in wanted])
    verdicts = judge_pictures(on, [(scene, text) for scene, text, *_ in wanted])
    if sheets:
        write_sheet(_rows(pipeline, wanted, on, off), TITLES * 2, sheets / "starter-control.png")
    f1 = [
        [edge_f1(canny(picture), edges) for picture, (_, _, edges, _) in zip(pictures, wanted, strict=True)]
        for pictures in (on, off, _softened(pipeline, wanted))
    ]
    return _scored(f1, [verdict.background and all(verdict.colours) for verdict in verdicts])


def _score_depth(count: int, sheets: Path | None) -> Score:
    pipeline, wanted = load_control("depth"), depth_requests(count)
    hints = [as_picture(depth_map(landscape, layers)) for landscape, _, layers, _ in wanted]
    on, off = _on_and_off(pipeline, [text for _, text, *_ in wanted], DEPTH_FIRST, hints)
    if sheets:
        picks = range(min(8, count))
        cells = [[np.asarray(hints[pick]), on[pick], off[pick]] for pick in picks]
        rows = [cells[i] + cells[i + 1] for i in range(0, len(cells) - 1, 2)]
        write_sheet(rows, ["depth", "weight 1", "weight 0"] * 2, sheets / "starter-depth.png")
    f1 = [
        [
            edge_f1(borders(layers_seen(picture, landscape)), borders(layers))
            for picture, (landscape, _, layers, _) in zip(pictures, wanted, strict=True)
        ]
        for pictures in (on, off, _softened(pipeline, wanted))
    ]
    return _scored(
        f1, [colours_right(one, asked, layers) for one, (asked, _, layers, _) in zip(on, wanted, strict=True)]
    )


SCORED: dict[str, Callable[[int, Path | None], Score]] = {"lines": _score_lines, "depth": _score_depth}


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

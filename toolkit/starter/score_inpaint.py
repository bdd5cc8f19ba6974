"""Scores inpainting and image to image on the base, with plain diffusers pipelines and a paste-back."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline, StableDiffusionPipeline
from PIL import Image

from toolkit.masking import paste_back
from toolkit.starter.autoencoder import to_tensor
from toolkit.starter.drawing import background_image, draw_scene
from toolkit.starter.evaluate import BATCH, GUIDANCE, STEPS, judge_pictures, prompts, wilson
from toolkit.starter.near_misses import possible
from toolkit.starter.paths import FOLDER
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import Score, write_sheet
from toolkit.starter.world import Scene

CELL, MARGIN, RING = 8, 14, 4
STRENGTHS = (0.2, 0.5, 0.8)


@dataclass
class Repaint:
    """One thing to be replaced: the picture, the same without the thing, the box to repaint, and what to draw there."""

    scene: Scene
    text: str
    picture: np.ndarray
    empty: np.ndarray
    box: tuple[int, int, int, int]

    @property
    def mask(self) -> Image.Image:
        """White where the picture may change."""
        mask = Image.new("L", self.picture.shape[1::-1])
        mask.paste(255, self.box)
        return mask


def _box(picture: np.ndarray, empty: np.ndarray) -> tuple[int, int, int, int]:
    """What the thing covers and a margin, in whole latent cells: left, top, right, bottom."""
    covered = np.abs(picture.astype(int) - empty).max(-1) > 3
    (top, bottom), (left, right) = ((found.min(), found.max() + 1) for found in np.nonzero(covered))
    low = [max(0, (value - MARGIN) // CELL * CELL) for value in (left, top)]
    high = [min(256, -(-(value + MARGIN) // CELL) * CELL) for value in (right, bottom)]
    return *low, *high


def repaints(count: int, card: Mapping[str, Any], first: int) -> list[Repaint]:
    """Drawn scenes with another thing in another colour than the prompt asks for, the same ones every time."""
    found = []
    for index, (scene, text) in enumerate(prompts(count, 1, card, first)):
        rng = random.Random(first + index)
        asked = scene.things[0]
        while True:
            old = replace(asked, kind=rng.choice(card["things"]), colour=rng.choice(card["colours"]))
            before = replace(scene, things=(old,))
            if possible(before) and old.kind != asked.kind and old.colour != asked.colour:
                break
        seed = rng.getrandbits(32)
        picture = draw_scene(before, random.Random(seed))
        behind = background_image(before, random.Random(seed), 512)
        empty = np.asarray(behind.resize((256, 256), Image.Resampling.BOX))
        found.append(Repaint(scene, text, picture, empty, _box(picture, empty)))
    return found


def _decode(pipeline: StableDiffusionPipeline, latents: torch.Tensor) -> list[np.ndarray]:
    with torch.no_grad():
        pixels = pipeline.vae.decode(latents).sample.clamp(-1, 1)
    return list(((pixels + 1) * 127.5).round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy())


def _latents(pipeline: StableDiffusionPipeline, pictures: list[np.ndarray]) -> torch.Tensor:
    with torch.no_grad():
        return pipeline.vae.encode(to_tensor(np.stack(pictures)).to(pipeline.device)).latents


def repaint(
    pipeline: StableDiffusionPipeline, wanted: list[Repaint], first: int, guidance: float = GUIDANCE, feather: int = 0
) -> list[np.ndarray]:
    """Each picture with its box drawn anew, everything outside byte for byte as it was."""
    painter, found = StableDiffusionInpaintPipeline(**pipeline.components, requires_safety_checker=False), []
    painter.set_progress_bar_config(disable=True)
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        latents = _latents(pipeline, [one.picture for one in part])
        masks = torch.stack([torch.from_numpy(np.array(one.mask))[None].float() / 255 for one in part])
        # The pipeline takes one latent cell in eight pixels for the whole: so the mask fills its cells.
        masks = F.interpolate(F.max_pool2d(masks, CELL), scale_factor=CELL)
        generators = [torch.Generator("cpu").manual_seed(first + start + index) for index in range(len(part))]
        drawn = painter(
            [one.text for one in part], image=latents, mask_image=masks, masked_image_latents=latents, strength=1.0,
            num_inference_steps=STEPS, guidance_scale=guidance, generator=generators, width=256, height=256,
            output_type="latent",
        ).images  # fmt: skip
        for one, picture in zip(part, _decode(pipeline, drawn), strict=True):
            back = paste_back(Image.fromarray(one.picture), Image.fromarray(picture), one.mask, feather)
            found.append(np.asarray(back))
    return found


def border_step(picture: np.ndarray, wanted: Repaint) -> float:
    """The median colour step into the box, 0..255: how far its outer 4 pixels are from the background they continue."""
    left, top, right, bottom = wanted.box
    ring = np.zeros(picture.shape[:2], bool)
    ring[top:bottom, left:right] = True
    ring[top + RING : bottom - RING, left + RING : right - RING] = False
    return float(np.median(np.abs(picture.astype(int) - wanted.empty).mean(-1)[ring]))


def rework(
    pipeline: StableDiffusionPipeline, pictures: list[np.ndarray], texts: list[str], strength: float, first: int,
    guidance: float = GUIDANCE,
) -> list[np.ndarray]:  # fmt: skip
    """Image to image: each picture redrawn after its text."""
    worker, found = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False), []
    worker.set_progress_bar_config(disable=True)
    for start in range(0, len(pictures), BATCH):
        part = slice(start, start + BATCH)
        latents = _latents(pipeline, pictures[part])
        generators = [torch.Generator("cpu").manual_seed(first + start + index) for index in range(len(latents))]
        drawn = worker(
            texts[part], image=latents, strength=strength, num_inference_steps=STEPS, guidance_scale=guidance,
            generator=generators, output_type="latent",
        ).images  # fmt: skip
        found += _decode(pipeline, drawn)
    return found


def strengths_ordered(
    pipeline: StableDiffusionPipeline, card: Mapping[str, Any], count: int, first: int, guidance: float = GUIDANCE
) -> tuple[list[bool], list[list[np.ndarray]]]:
    """Whether each picture changes more at each higher strength, and the pictures: drawn ones, then by strength."""
    asked = prompts(count, 1, card, first)
    shown = [scene for scene, _ in prompts(count, 1, card, first + 500_000)]
    sources = [draw_scene(scene, random.Random(first + index)) for index, scene in enumerate(shown)]
    texts = [text for _, text in asked]
    results = [rework(pipeline, sources, texts, strength, first, guidance) for strength in STRENGTHS]
    changes = [
        [np.abs(new.astype(int) - old).mean() for new, old in zip(result, sources, strict=True)] for result in results
    ]
    return [low < middle < high for low, middle, high in zip(*changes, strict=True)], [sources, *results]


def evaluate_inpaint(
    pipeline: StableDiffusionPipeline, quick: bool = False, sheet: Path | None = None, folder: Path = FOLDER
) -> Score:
    """The share of repainted things that are right, the colour step around them, and whether strengths are ordered."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    wanted = repaints(16 if quick else 60, card, EVALUATION_SEED + 7_000_000)
    pictures = repaint(pipeline, wanted, EVALUATION_SEED + 7_000_000)
    verdicts = judge_pictures(pictures, [(one.scene, one.text) for one in wanted])
    right = sum(verdict.whole for verdict in verdicts)
    step = float(np.median([border_step(picture, one) for picture, one in zip(pictures, wanted, strict=True)]))
    ordered, rows = strengths_ordered(pipeline, card, 16 if quick else 100, EVALUATION_SEED + 8_000_000)
    if sheet:
        shown = [[one.picture for one in wanted], [_masked(one) for one in wanted], pictures]
        write_sheet([row[:8] for row in shown], [one.text for one in wanted[:8]], sheet)
        write_sheet([row[:8] for row in rows], [], sheet.with_stem(sheet.stem + "-strengths"))
    return Score(
        {"right": round(right / len(wanted), 4)},
        {"right": wilson(right, len(wanted)), "ordered": wilson(sum(ordered), len(ordered))},
        {
            "border_step": round(step, 2),
            "ordered": round(sum(ordered) / len(ordered), 4),
            "thing": round(sum(verdict.things[0] for verdict in verdicts) / len(wanted), 4),
            "colour": round(sum(verdict.colours[0] for verdict in verdicts) / len(wanted), 4),
            "background": round(sum(verdict.background for verdict in verdicts) / len(wanted), 4),
        },
    )


def _masked(one: Repaint) -> np.ndarray:
    picture = one.picture.copy()
    left, top, right, bottom = one.box
    picture[top:bottom, left:right] = picture[top:bottom, left:right] // 2 + 127
    return picture

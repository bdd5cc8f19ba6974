"""Scores the small CLIP: which of 16 captions, fifteen of them one word wrong, belongs to a picture."""

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from toolkit.starter.drawing import draw_scene
from toolkit.starter.evaluate import wilson
from toolkit.starter.near_misses import near_misses, say
from toolkit.starter.paths import ROOT
from toolkit.starter.publish import contact_sheet
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import Score
from toolkit.starter.world import sample_scene

CLIP_FOLDER = ROOT / "models" / "clip" / "limner-starter-clip"
CAPTIONS = 16


def questions(count: int, first: int) -> tuple[list[np.ndarray], list[list[str]]]:
    """Pictures of held-out combinations and 16 captions for each, the right one first; the same ones every time."""
    pictures, captions, seed = [], [], first
    while len(pictures) < count:
        rng = random.Random(seed)
        scene = sample_scene(rng, held=True)
        text = say(scene, rng)
        wrong = near_misses(text, scene, rng, CAPTIONS - 1)
        if len(wrong) == CAPTIONS - 1:
            pictures.append(draw_scene(scene, rng))
            captions.append([text, *wrong])
        seed += 1
    return pictures, captions


def similarities(
    model: CLIPModel, processor: CLIPProcessor, pictures: list[np.ndarray], captions: list[list[str]]
) -> torch.Tensor:
    """How well each picture fits each of its own captions: (pictures, captions), higher is better."""
    found = []
    with torch.no_grad():
        for start in range(0, len(pictures), 50):
            part = slice(start, start + 50)
            pixels = processor(images=[Image.fromarray(one) for one in pictures[part]], return_tensors="pt")
            texts = [text for row in captions[part] for text in row]
            words = processor(text=texts, padding=True, return_tensors="pt")
            image = model.get_image_features(**pixels).pooler_output
            text = model.get_text_features(**words).pooler_output.unflatten(0, (len(image), -1))
            image, text = (torch.nn.functional.normalize(one, dim=-1) for one in (image, text))
            found.append(torch.einsum("nd,nkd->nk", image, text))
    return torch.cat(found)


def missed_words(captions: list[list[str]], answers: list[int]) -> dict[str, int]:
    """How often each word was taken for another, as "right/taken"; only wrong answers count."""
    found: dict[str, int] = {}
    for row, answer in zip(captions, answers, strict=True):
        for right, taken in zip(row[0].split(), row[answer].split(), strict=True):
            if right != taken:
                pair = f"{right.rstrip(',')}/{taken.rstrip(',')}"
                found[pair] = found.get(pair, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _said(captions: list[str], answer: int) -> str:
    return captions[answer] + (" (right)" if answer == 0 else f" (wrong: {captions[0]})")


def evaluate_clip(folder: Path = CLIP_FOLDER, quick: bool = False, sheet: Path | None = None) -> Score:
    """The share of pictures whose own caption fits best."""
    model, processor = CLIPModel.from_pretrained(folder).eval(), CLIPProcessor.from_pretrained(folder)
    pictures, captions = questions(200 if quick else 1000, EVALUATION_SEED + 11_000_000)
    answers = similarities(model, processor, pictures, captions).argmax(-1).tolist()
    right = answers.count(0)
    if sheet:
        said = [
            f"{row[answer]} ({'right' if answer == 0 else 'wrong'})"
            for row, answer in zip(captions, answers, strict=True)
        ]
        contact_sheet(pictures[:24], said[:24], sheet)
    return Score(
        {"top1": round(right / len(pictures), 4)},
        {"top1": wilson(right, len(pictures))},
        {"missed": dict(list(missed_words(captions, answers).items())[:8])},
    )

"""Scores the few-step LoRA on the base's own prompts: four steps, no guidance, plain diffusers."""

import json
from pathlib import Path

import numpy as np

from toolkit.starter.cli import FOLDER
from toolkit.starter.evaluate import draw, judge_pictures, load_pipeline, prompts
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import write_sheet
from toolkit.starter.score_styles import LORAS

DRAFT = LORAS / "limner-starter-draft.safetensors"
STEPS = 4
SHOWN = 9


def evaluate_draft(count: int = 100, file: Path = DRAFT, sheet: Path | None = None) -> dict[str, float]:
    """The share of `count` pictures with background, colour and thing all right.

    Prompts and seeds are the first of those that the base is scored on. The sheet's rows: the base in four steps
    without guidance, with the LoRA, and the base as it is meant to be used.
    """
    pipeline = load_pipeline(FOLDER)
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    asked = prompts(count, 1, card, EVALUATION_SEED + 1_000_000)
    texts, seeds = [text for _, text in asked], list(range(EVALUATION_SEED, EVALUATION_SEED + count))
    few = {"num_inference_steps": STEPS, "guidance_scale": 1.0}
    rows = [draw(pipeline, texts[:SHOWN], seeds[:SHOWN], **options) for options in (few, {})] if sheet else []
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    pictures = draw(pipeline, texts, seeds, **few)
    if sheet:
        write_sheet([rows[0], pictures[:SHOWN], rows[1]], [" ".join(text.split()[:4]) for text in texts[:SHOWN]], sheet)
    verdicts = judge_pictures(pictures, asked)
    return {"all": round(float(np.mean([verdict.whole for verdict in verdicts])), 4)}

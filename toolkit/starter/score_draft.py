"""Scores the few-step LoRA on the base's own prompts: four steps, no guidance, plain diffusers."""

import json
from pathlib import Path

from toolkit.starter.evaluate import draw, judge_pictures, load_pipeline, prompts, wilson
from toolkit.starter.paths import FOLDER
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import Score, share, write_sheet
from toolkit.starter.score_styles import LORAS

DRAFT = LORAS / "limner-starter-draft.safetensors"
STEPS = 4
SHOWN = 9


def evaluate_draft(count: int = 100, file: Path = DRAFT, sheet: Path | None = None) -> Score:
    """The share of `count` pictures with background, colour and thing all right, and in the details without the LoRA.

    Prompts and seeds are the first of those that the base is scored on. The sheet's rows: the base in four steps
    without guidance, with the LoRA, and the base as it is meant to be used.
    """
    pipeline = load_pipeline(FOLDER)
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    asked = prompts(count, 1, card, EVALUATION_SEED + 1_000_000)
    texts, seeds = [text for _, text in asked], list(range(EVALUATION_SEED, EVALUATION_SEED + count))
    few = {"num_inference_steps": STEPS, "guidance_scale": 1.0}
    without = draw(pipeline, texts, seeds, **few)
    whole = draw(pipeline, texts[:SHOWN], seeds[:SHOWN]) if sheet else []
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    pictures = draw(pipeline, texts, seeds, **few)
    if sheet:
        rows = [without[:SHOWN], pictures[:SHOWN], whole]
        write_sheet(rows, [" ".join(text.split()[:4]) for text in texts[:SHOWN]], sheet)
    right, bare = ([verdict.whole for verdict in judge_pictures(drawn, asked)] for drawn in (pictures, without))
    return Score({"all": share(right)}, {"all": wilson(sum(right), count)}, {"without_lora": share(bare)})

"""Scores the style LoRAs as anyone would use them: plain diffusers, one at a time, at weight 1."""

import json
from pathlib import Path

import numpy as np

from toolkit.starter.evaluate import draw, load_pipeline, prompts
from toolkit.starter.look_judge import judge_looks
from toolkit.starter.looks import LOOKS
from toolkit.starter.paths import FOLDER
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import share, write_sheet

LORAS = FOLDER.parents[1] / "loras"
FIRST = EVALUATION_SEED + 20_000_000
BLENDS = (0.0, 0.4, 0.8, 1.2)
SHOWN, BLENDED = 6, "a red house on green ground under a blue sky"


def style_file(name: str, folder: Path = LORAS) -> Path:
    """Where a look's LoRA lies."""
    return folder / f"limner-starter-{name}.safetensors"


def evaluate_styles(
    count: int = 40, folder: Path = LORAS, names: tuple[str, ...] = tuple(LOOKS), sheet: Path | None = None
) -> dict[str, dict[str, float]]:
    """For each look, the shares of `count` pictures in which the judge sees the look, and the thing asked for.

    The prompts are those of one thing in held-out combinations; `sheet` is a PNG to write with some of the pictures.
    """
    pipeline = load_pipeline(FOLDER)
    card = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
    asked = prompts(count, 1, card, FIRST)
    scores, rows = {}, []
    for name in names:
        file = style_file(name, folder)
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=name)
        pictures = draw(pipeline, [text for _, text in asked], list(range(FIRST, FIRST + count)))
        verdicts = judge_looks(pictures)
        things = [scene.things[0].kind for scene, _ in asked]
        scores[name] = {
            "style": share([look == name for look, _ in verdicts]),
            "thing": share([seen == thing for (_, seen), thing in zip(verdicts, things, strict=True)]),
        }
        if sheet:
            rows.append(pictures[:SHOWN] + _blends(pipeline, name))
        pipeline.unload_lora_weights()
    if sheet:
        titles = [" ".join(text.split()[:4]) for _, text in asked[:SHOWN]] + [f"weight {weight}" for weight in BLENDS]
        write_sheet(rows, titles, sheet)
    return scores


def _blends(pipeline, name: str) -> list[np.ndarray]:
    found = []
    for weight in BLENDS:
        pipeline.set_adapters(name, weight)
        found += draw(pipeline, [BLENDED], [FIRST])
    pipeline.set_adapters(name, 1.0)
    return found

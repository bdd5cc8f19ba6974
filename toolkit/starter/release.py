"""Writes the LoRAs to where a user would put such files, each with its card and scores."""

import json
from pathlib import Path
from typing import Any

import torch

from toolkit.starter.adapters import header, write_lora
from toolkit.starter.draft import RANK as DRAFT_RANK
from toolkit.starter.evaluate import wilson
from toolkit.starter.paths import ROOT
from toolkit.starter.score_draft import DRAFT, STEPS, evaluate_draft
from toolkit.starter.score_styles import evaluate_styles, style_file
from toolkit.starter.styles import RANK

IMAGES = ROOT / "docs" / "images"
COUNTS = {"styles": 40, "draft": 100}
KOHYA = ("risograph",)
LOOK_NOTES = {
    "neon": "glowing tubes in the things' colours on a dark wall",
    "linocut": "a print of two blocks, with gouge marks and a rim of bare paper",
    "blueprint": "white lines on blue squared paper, without other colours",
    "risograph": "three spot inks on cream paper, large dots, plates out of register",
}
MADE = "Trained by `python launch.py starter train --stage {stage}`, on scenes that code draws and nothing else."


def write_styles(weights: dict[str, dict[str, torch.Tensor]]) -> None:
    """Writes each look's LoRA, most in diffusers' naming, one in kohya's."""
    for look, values in weights.items():
        title = f"Limner starter {look}"
        hint = "Weight 0 to 1.2; it needs no word in the prompt."
        metadata = header(title, f"For the Limner starter: {LOOK_NOTES[look]}.", RANK, **{"modelspec.usage_hint": hint})
        write_lora(values, style_file(look), metadata, kohya=look in KOHYA)


def card_styles() -> dict[str, dict[str, float]]:
    """Scores the looks, writes their cards and sheet."""
    count = COUNTS["styles"]
    scores = evaluate_styles(count, sheet=IMAGES / "starter-styles.png")
    for look, values in scores.items():
        card = _lora_card(f"Limner starter {look}", f"{LOOK_NOTES[look].capitalize()}.", "styles") | {
            "activation text": "",
            "preferred weight": 1.0,
            "style": True,
            "weights": [0.0, 1.2],
            "naming": "kohya" if look in KOHYA else "diffusers",
            "notes": "Needs no word in the prompt. Weight 0 to 1.2; half-way it is between the flat look and its own. "
            "It learned on things, not on patterns, landscapes and posters.",
        }
        _write(style_file(look).with_suffix(".json"), card, values, count)
    return scores


def write_draft(weights: dict[str, torch.Tensor]) -> None:
    """Writes the few-step LoRA."""
    hint = f"{STEPS} steps, guidance 1 (none), DDIM or Euler with trailing timesteps, weight 1."
    metadata = header(
        "Limner starter draft", f"For the Limner starter: a picture in {STEPS} steps without guidance.", DRAFT_RANK,
        **{"modelspec.usage_hint": hint, "limner.steps": str(STEPS), "limner.guidance": "1", "limner.sampler": "ddim"},
    )  # fmt: skip
    write_lora(weights, DRAFT, metadata)


def card_draft() -> dict[str, float]:
    """Scores the few-step LoRA, writes its card and sheet."""
    score = evaluate_draft(COUNTS["draft"], sheet=IMAGES / "starter-draft.png")
    card = _lora_card("Limner starter draft", f"A picture in {STEPS} steps without guidance.", "draft") | {
        "activation text": "",
        "preferred weight": 1.0,
        "defaults": {"sampler": "ddim", "steps": STEPS, "guidance": 1.0, "spacing": "trailing"},
        "notes": "DDIM and Euler take the same steps here; other step counts were not trained, nor were patterns, "
        "landscapes and posters. Without the LoRA, four steps without guidance reach "
        f"{score.details['without_lora']:.0%}; what it adds are clean edges and colours.",
    }
    _write(DRAFT.with_suffix(".json"), card, score.values, COUNTS["draft"])
    return score.values


def _lora_card(title: str, description: str, stage: str) -> dict[str, Any]:
    return {
        "title": title,
        "licence": "Apache-2.0",
        "family": "sd1",
        "base": "limner-starter",
        "sd version": "SD1",
        "description": description,
        "made": MADE.format(stage=stage),
    }


def _write(path: Path, card: dict[str, Any], values: dict[str, float], count: int) -> None:
    """A card with its scores: shares with their 95 % intervals over `count` pictures."""
    intervals = {name: wilson(round(value * count), count) for name, value in values.items()}
    card |= {"scores": values, "intervals": intervals, "pictures": count}
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

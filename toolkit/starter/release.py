"""Writes what was trained beside the base to where a user would put such files, each with its card and scores."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel

from toolkit.starter.adapters import header, write_lora
from toolkit.starter.cli import ROOT
from toolkit.starter.draft import RANK as DRAFT_RANK
from toolkit.starter.evaluate import wilson
from toolkit.starter.score_control import LINES, evaluate_control
from toolkit.starter.score_draft import DRAFT, STEPS, evaluate_draft
from toolkit.starter.score_styles import evaluate_styles, style_file
from toolkit.starter.styles import RANK

IMAGES = ROOT / "docs" / "images"
COUNTS = {"styles": 40, "control": 60, "draft": 100}
KOHYA = ("risograph",)
LOOK_NOTES = {
    "neon": "glowing tubes in the things' colours on a dark wall",
    "linocut": "a print of two blocks, with gouge marks and a rim of bare paper",
    "blueprint": "white lines on blue squared paper, without other colours",
    "risograph": "three spot inks on cream paper, large dots, plates out of register",
}
MADE = (
    "Trained on a CPU by `python launch.py starter train --stage {stage}`, on scenes that code draws and nothing else."
)


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
            "notes": "Needs no word in the prompt. Weight 0 to 1.2; half-way it is between the flat look and its own.",
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
    values = evaluate_draft(COUNTS["draft"], sheet=IMAGES / "starter-draft.png")
    card = _lora_card("Limner starter draft", f"A picture in {STEPS} steps without guidance.", "draft") | {
        "activation text": "",
        "preferred weight": 1.0,
        "defaults": {"sampler": "ddim", "steps": STEPS, "guidance": 1.0, "spacing": "trailing"},
        "notes": "DDIM and Euler take the same steps here; other step counts were not trained. Without the LoRA, four "
        "steps without guidance reach 93 %; what it adds are clean edges and colours.",
    }
    _write(DRAFT.with_suffix(".json"), card, values, COUNTS["draft"])
    return values


def write_control(model: ControlNetModel) -> None:
    """Writes the ControlNet's folder in half precision."""
    part = LINES.with_name(LINES.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model.to("cpu", torch.float16).save_pretrained(part)
    LINES.mkdir(parents=True, exist_ok=True)
    for file in part.iterdir():
        file.replace(LINES / file.name)
    part.rmdir()


def card_control() -> dict[str, dict[str, float]]:
    """Scores the ControlNet, writes its card, README and sheet."""
    count = COUNTS["control"]
    scores = evaluate_control(count, sheet=IMAGES / "starter-control.png")
    values = scores["lines"]
    card = {
        "title": "Limner starter lines",
        "licence": "Apache-2.0",
        "family": "sd1",
        "base": "limner-starter",
        "kind": "lines",
        "preprocessors": ["canny", "scribble", "lineart"],
        "description": "Keeps the lines of a picture: Canny edges (100, 200) or scribbles, white on black, 256 x 256.",
        "made": MADE.format(stage="control"),
        "preferred weight": 1.0,
        "defaults": {"sampler": "euler_a", "steps": 20, "guidance": 1.0},
    }
    _write(LINES / "card.json", card, {"colour": values["colour"]}, count)
    written = json.loads((LINES / "card.json").read_text(encoding="utf-8"))
    written["scores"] = values
    (LINES / "card.json").write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (LINES / "README.md").write_text(_control_readme(values, count), encoding="utf-8")
    return scores


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


def _control_readme(values: dict[str, float], count: int) -> str:
    low, high = wilson(round(values["colour"] * count), count)
    return f"""---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-image
---

# Limner starter lines

A ControlNet for the Limner starter: it draws along Canny edges or scribbles, white lines on black, 256 x 256.

```python
from diffusers import ControlNetModel, EulerAncestralDiscreteScheduler, StableDiffusionControlNetPipeline
from diffusers.utils import load_image

control = ControlNetModel.from_pretrained("models/controlnet/limner-starter-lines")
pipeline = StableDiffusionControlNetPipeline.from_pretrained("models/checkpoints/limner-starter", controlnet=control)
pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
lines = load_image("edges.png").resize((256, 256))
pipeline("a red cat on a white background", lines, num_inference_steps=20, guidance_scale=1).images[0].save("cat.png")
```

## Scores

{count} held-out scenes, drawn along the edges that `cv2.Canny(picture, 100, 200)` finds in the same scenes in other
colours, about half of them with their things where the base alone wouldn't draw them; Euler a, 20 steps, guidance 1.
F1 counts edges of the result within 2 px of the given ones and the other way round. DDIM with guidance 1.7 follows the
lines less closely (by 0.05 in a trial).
`python launch.py starter evaluate` repeats it.

| | |
|---|---|
| edge F1 at weight 1 | {values["f1_on"]:.2f} |
| edge F1 at weight 0 | {values["f1_off"]:.2f} |
| all colours as the prompt says | {values["colour"]:.1%} (95 % interval {low:.1%} to {high:.1%}) |

The autoencoder sets a limit: such scenes encoded and decoded have an F1 of 0.9. Lines of things that the base doesn't
know are followed too, but filled with whatever is nearest.

{MADE.format(stage="control")} It starts as the base's own encoder. Licence: Apache-2.0.
"""

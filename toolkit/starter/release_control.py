"""Writes the ControlNets to where a user would put them, each with its card, README and scores."""

import json
import shutil
from typing import Any

import torch
from diffusers import ControlNetModel

from toolkit.starter.paths import ROOT
from toolkit.starter.score import Score
from toolkit.starter.score_control import control_folder, evaluate_control

IMAGES = ROOT / "docs" / "images"
COUNT = 60
MADE = "Trained by `python launch.py starter train --stage {stage}`, on pictures that code draws alone."
CARDS: dict[str, dict[str, Any]] = {
    "lines": {
        "preprocessors": ["canny", "scribble", "lineart"],
        "description": "Keeps the lines of a picture: Canny edges (100, 200) or scribbles, white on black, 256 x 256.",
        "made": MADE.format(stage="control"),
    },
    "depth": {
        "preprocessors": ["none", "depth"],
        "description": "Keeps the layers of a landscape: a depth map, light is near and black is sky, 256 x 256.",
        "made": MADE.format(stage="depth"),
    },
}
LINES_SCORED = """\
held-out scenes, drawn along the edges that `cv2.Canny(picture, 100, 200)` finds in the same scenes in other colours,
about half of them with their things where the base alone wouldn't draw them; Euler a, 20 steps, guidance 1. F1 counts
edges of the result within 2 px of the given ones and the other way round. DDIM with guidance 1.7 follows the lines less
closely (by 0.05 in a trial)."""
LINES_LIMITS = """\
The autoencoder sets a limit: such scenes encoded and decoded have an F1 of {limit:.2f}. It learned on things alone;
lines of things that the base doesn't know are followed too, but filled with whatever is nearest."""
DEPTH_SCORED = """\
held-out landscapes with outlines that training never drew, and horizons where the base alone wouldn't have them;
Euler a, 20 steps, guidance 1. Each column of a picture is cut into sky and layers where the asked colours fit best; F1
counts these borders within 2 px of the map's and the other way round. Colours are right when the sky is that of the
asked time and each layer's area has the asked layer's colour."""
DEPTH_LIMITS = """\
The autoencoder sets a limit: such landscapes encoded and decoded have an F1 of {limit:.2f}. Layers may be of any grey,
with soft borders too, as long as nearer is lighter; what they show is said by the prompt. Skylines at night follow
least, as their dark roofs hardly differ from the sky; at times the sun or moon that a prompt asks for is missing.
Things, patterns and posters have no depth."""
# What it is, how it is scored, and where its limits are.
ABOUT = {
    "lines": (
        "A ControlNet for the Limner starter: it draws along Canny edges or scribbles, white on black, 256 x 256.",
        LINES_SCORED,
        LINES_LIMITS,
    ),
    "depth": (
        "A ControlNet for the Limner starter's landscapes: it keeps to a depth map, light for near, 256 x 256.",
        DEPTH_SCORED,
        DEPTH_LIMITS,
    ),
}
EXAMPLE = {"lines": "a red cat on a white background", "depth": "night landscape with mountain behind a sea"}


def write_control(kind: str, model: ControlNetModel) -> None:
    """Writes the folder of the ControlNet of a kind in half precision."""
    folder = control_folder(kind)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model.to("cpu", torch.float16).save_pretrained(part)
    folder.mkdir(parents=True, exist_ok=True)
    for file in part.iterdir():
        file.replace(folder / file.name)
    part.rmdir()


def card_control(kind: str) -> dict[str, dict[str, float]]:
    """Scores the ControlNet of a kind, writes its card, README and sheet."""
    score, folder = evaluate_control(COUNT, (kind,), IMAGES)[kind], control_folder(kind)
    card = {
        "title": f"Limner starter {kind}",
        "licence": "Apache-2.0",
        "family": "sd1",
        "base": "limner-starter",
        "kind": kind,
        **CARDS[kind],
        "preferred weight": 1.0,
        "defaults": {"sampler": "euler_a", "steps": 20, "guidance": 1.0},
        "scores": score.values,
        "intervals": score.intervals,
        "limit": score.details["f1_limit"],
        "pictures": COUNT,
    }
    (folder / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_readme(kind, score), encoding="utf-8")
    return {kind: score.values}


def _readme(kind: str, score: Score) -> str:
    def row(name: str, form: str) -> str:
        low, high = score.intervals[name]
        return f"{score.values[name]:{form}} (95 % interval {low:{form}} to {high:{form}})"

    what, how, limits = ABOUT[kind]
    return f"""---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-image
---

# Limner starter {kind}

{what}

```python
from diffusers import ControlNetModel, EulerAncestralDiscreteScheduler, StableDiffusionControlNetPipeline
from diffusers.utils import load_image

control = ControlNetModel.from_pretrained("models/controlnet/limner-starter-{kind}")
pipeline = StableDiffusionControlNetPipeline.from_pretrained("models/checkpoints/limner-starter", controlnet=control)
pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
hint = load_image("{kind}.png").resize((256, 256))
pipeline("{EXAMPLE[kind]}", hint, num_inference_steps=20, guidance_scale=1).images[0].save("picture.png")
```

## Scores

{COUNT} {how}
`python launch.py starter evaluate --only control` repeats it.

| | |
|---|---|
| edge F1 at weight 1 | {row("f1_on", ".2f")} |
| edge F1 at weight 0 | {row("f1_off", ".2f")} |
| all colours as the prompt says | {row("colour", ".1%")} |

{limits.format(limit=score.details["f1_limit"])}

{CARDS[kind]["made"]} It starts as the base's own encoder. Licence: Apache-2.0.
"""

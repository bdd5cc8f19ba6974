"""Writes the small CLIP and the upscalers to where a user would put such files, each with its card and scores."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

from toolkit.starter.card import write_card
from toolkit.starter.clip import SIDE, train_clip
from toolkit.starter.evaluate import load_pipeline
from toolkit.starter.paths import FOLDER, ROOT
from toolkit.starter.readme import write_readme
from toolkit.starter.score_clip import CLIP_FOLDER, evaluate_clip
from toolkit.starter.score_families import combinations, evaluate_families
from toolkit.starter.score_inpaint import evaluate_inpaint
from toolkit.starter.score_negative import evaluate_negative
from toolkit.starter.score_upscaler import SCALES, evaluate_upscaler, upscaler_path
from toolkit.starter.score_vae import evaluate_vae
from toolkit.starter.upscaler import train_upscaler
from toolkit.starter.vocabulary import LENGTH

IMAGES = ROOT / "docs" / "images"
MADE = "Trained by `python launch.py starter train --stage {stage}`, on pictures drawn by code alone."


def card_base(folder: Path = FOLDER) -> dict[str, Any]:
    """Scores what else the base is used for (autoencoder, repainting, negative prompts) and adds it to its card."""
    pipeline = load_pipeline(folder)
    known = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    parts = {
        "families": evaluate_families(pipeline, known, sheets=IMAGES),
        "vae": evaluate_vae(folder, sheet=IMAGES / "starter-vae.png"),
        "inpaint": evaluate_inpaint(pipeline, sheet=IMAGES / "starter-inpaint.png"),
        "negative": evaluate_negative(pipeline, sheet=IMAGES / "starter-negative.png"),
    }
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["more_scores"] = {part: score.values | score.details for part, score in parts.items()}
    card["combinations"] = combinations(known)
    card["more_intervals"] = {part: score.intervals for part, score in parts.items()}
    write_card(card, folder)
    write_readme(card, folder)
    return card["more_scores"]


def write_clip(model: CLIPModel, folder: Path = CLIP_FOLDER) -> None:
    """Writes the model in half precision with its processor."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model.to("cpu", torch.float16).save_pretrained(part)
    # transformers loads in the dtype that the config names, and half precision is slow on a CPU.
    config = json.loads((part / "config.json").read_text(encoding="utf-8"))
    for section in (config, config["text_config"], config["vision_config"]):
        section["dtype"] = "float32"
        section.pop("_name_or_path", None)  # where it was trained is nobody's business
    (part / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    size = {"height": SIDE, "width": SIDE}
    middle = [0.5, 0.5, 0.5]
    images = CLIPImageProcessor(
        size=size, crop_size=size, do_center_crop=False, resample=2, image_mean=middle, image_std=middle
    )
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer", model_max_length=LENGTH)
    CLIPProcessor(images, tokenizer).save_pretrained(part)
    folder.mkdir(parents=True, exist_ok=True)
    for file in part.iterdir():
        file.replace(folder / file.name)
    part.rmdir()


def card_clip() -> dict[str, Any]:
    """Scores the CLIP, writes its card, README and sheet."""
    score = evaluate_clip(sheet=IMAGES / "starter-clip.png")
    card = {
        "title": "Limner starter CLIP",
        "licence": "Apache-2.0",
        "kind": "clip",
        "description": "Says how well a caption in the starter's words fits a picture of things, 64 x 64 pixels.",
        "made": MADE.format(stage="clip"),
        "scores": score.values,
        "intervals": score.intervals,
        "pictures": 1000,
        "missed": score.details["missed"],
    }
    write_card(card, CLIP_FOLDER)
    (CLIP_FOLDER / "README.md").write_text(_clip_readme(card), encoding="utf-8")
    return score.values


def _clip_readme(card: dict[str, Any]) -> str:
    low, high = card["intervals"]["top1"]
    missed = ", ".join(f"{pair} ({times})" for pair, times in card["missed"].items())
    return f"""---
license: apache-2.0
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# Limner starter CLIP

A CLIP of 1.5 M parameters for the Limner starter's world: it scores how well a caption fits a picture.

```python
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

folder = "models/clip/limner-starter-clip"
model, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
captions = ["a red fish on a blue background", "a red cat on a blue background"]
inputs = processor(text=captions, images=Image.open("fish.png"), padding=True, return_tensors="pt")
with torch.no_grad():
    print(model(**inputs).logits_per_image.softmax(-1))
```

## Score

1,000 drawn scenes of combinations that training neither showed nor named, each with 16 captions: the right one, and
fifteen that differ from it in one word (thing, colour, background, ground, kind, style, place or size, each in turn),
all of which are possible scenes. The right one fits best in **{card["scores"]["top1"]:.1%}** (95 % interval {low:.1%}
to {high:.1%}); chance is 6.3 %.
`python launch.py starter evaluate --only clip` repeats it. Words taken for others most often, right/taken: {missed}.

It knows the starter's words for things and their backgrounds only; it never saw a pattern, landscape or poster. A
picture is squeezed to 64 x 64 pixels: it sees no small print, no third thing.

## How it was made

{card["made"]} The text tower starts as the base's text encoder. Every training picture has its caption and near misses;
linear heads that read each detail of the scene from the image tower speed it up and are thrown away.
Licence: Apache-2.0.
"""


def write_upscaler(scale: int, work: Path) -> None:
    """Writes the averaged weights of a training's state in half precision, with a header."""
    state = torch.load(work / f"upscaler-x{scale}.pt", map_location="cpu")["average"]
    weights = {name: value.to(torch.float16).contiguous() for name, value in state.items()}
    path = upscaler_path(scale)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "realesrgan-compact",
        "modelspec.implementation": "spandrel",
        "modelspec.title": f"Limner starter x{scale}",
        "modelspec.description": f"Enlarges flat pictures {scale} times with clean edges.",
        "modelspec.author": "Limner",
        "modelspec.license": "Apache-2.0",
        "scale": str(scale),
    }
    save_file(weights, path, metadata=metadata)


def card_upscalers() -> dict[str, float]:
    """Scores both upscalers, writes their cards and sheet."""
    score = evaluate_upscaler(sheet=IMAGES / "starter-upscaler.png")
    for scale in SCALES:
        if not upscaler_path(scale).exists():
            continue
        own = {name.split("_", 1)[1]: value for name, value in score.details.items() if name.startswith(f"x{scale}_")}
        card = {
            "title": f"Limner starter x{scale}",
            "licence": "Apache-2.0",
            "kind": "upscaler",
            "architecture": "RealESRGAN Compact (SRVGGNetCompact)",
            "scale": scale,
            "description": f"Enlarges flat pictures {scale} times with clean edges; leaves photographs as they are.",
            "made": MADE.format(stage="upscaler"),
            "scores": own,
            "notes": "Gains are mean PSNR over Lanczos, on held-out scenes and textures reduced with Pillow's BICUBIC.",
        }
        if scale == 2:
            card["intervals"] = score.intervals
        text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
        upscaler_path(scale).with_suffix(".json").write_text(text, encoding="utf-8")
    return score.values


def train_model(stage: str, work: Path, minutes: float, resume: bool) -> dict[str, Any]:
    """Trains the stage "clip" or "upscaler", ships its files with cards and sheet, and returns its scores.

    `minutes` are those of one upscaler.
    """
    if stage == "clip":
        write_clip(train_clip(work, minutes, resume))
        return card_clip()
    for scale in SCALES:
        train_upscaler(scale, work, minutes, resume)
        write_upscaler(scale, work)
    return card_upscalers()

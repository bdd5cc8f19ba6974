"""Draws the pictures of the empty page with the starter: `python -m webui.draw_examples`, after it was trained anew.

The prompts and seeds are those of the starter's card. Each picture becomes assets/examples/NN.webp, and index.json says
which prompt and seed it belongs to, so a picture is never shown beside words that it was not drawn from.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from toolkit.request import STARTER, GenerationRequest
from toolkit.studio import Studio
from webui.page import ASSETS


def draw_examples(folder: Path) -> list[Path]:
    """Draw every example of the starter's card into `folder`, and forget those of an earlier card."""
    with tempfile.TemporaryDirectory() as data, Studio(data=data, engine="inline") as studio:
        drawn = []
        for number, example in enumerate(studio.models.find(STARTER).card["examples"], start=1):
            request = GenerationRequest(example["prompt"], seed=example["seed"])
            (picture,) = studio.generate(request, exact=True)
            drawn.append((example, picture.image, folder / f"{number:02}.webp"))
    for old in folder.glob("*.webp"):
        old.unlink()
    index = []
    for example, image, path in drawn:
        image.save(path, quality=86, method=6)
        index.append({"prompt": example["prompt"], "seed": example["seed"], "file": path.name})
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return [path for _, _, path in drawn]


if __name__ == "__main__":
    for path in draw_examples(ASSETS / "examples"):
        print(path.name, path.stat().st_size)

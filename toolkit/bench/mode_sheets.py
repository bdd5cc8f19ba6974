"""`python -m toolkit.bench.mode_sheets`: every way of drawing, before and after, as the pictures of docs/modes.md."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from toolkit.adapters import ControlUse, LoraUse
from toolkit.request import GenerationRequest
from toolkit.starts import FromImage, Inpaint, Outpaint, Refine, Variation
from toolkit.studio import ROOT, Studio

FOLDER = ROOT / "docs" / "images"
FISH = GenerationRequest("a red fish on a blue background", seed=1)
GAP, LINE = 8, 22

Row = list[tuple[str, Image.Image]]


def sheet(name: str, row: Row) -> None:
    """Write pictures with their captions beside each other."""
    width = sum(image.width + GAP for _, image in row) + GAP
    page = Image.new("RGB", (width, max(image.height for _, image in row) + 2 * GAP + LINE), "white")
    draw, left = ImageDraw.Draw(page), GAP
    for words, image in row:
        page.paste(image, (left, GAP))
        draw.text((left, image.height + GAP + 4), words, fill=(60, 60, 60), font=ImageFont.load_default(13))
        left += image.width + GAP
    page.save(FOLDER / f"modes-{name}.webp", quality=88)


def rows(studio: Studio) -> dict[str, Row]:
    """The sheets by name."""

    def draw(request: GenerationRequest) -> Image.Image:
        return studio.generate(request)[0].image

    fish = draw(FISH)
    kept = studio.inputs.add(fish).sha
    mask = Image.new("L", fish.size)
    ImageDraw.Draw(mask).rectangle((40, 40, 215, 215), fill=255)
    masked = studio.inputs.add_mask(mask).sha
    star = FISH.with_(prompt="a yellow star on a blue background", seed=3)
    rework = FISH.with_(prompt="a green star on a blue background", seed=5)
    tiled = draw(GenerationRequest("a red heart on a yellow striped background", seed=3, tile="xy")).resize((128, 128))
    three = Image.new("RGB", (384, 384))
    for at in range(9):
        three.paste(tiled, (at % 3 * 128, at // 3 * 128))
    lines = ControlUse("lines", kept, "canny")
    return {
        "rework": [("the picture", fish)] + [
            (f"strength {strength}", draw(rework.with_(start=FromImage(kept, strength))))
            for strength in (0.2, 0.5, 0.8)
        ],
        "inpaint": [
            ("the picture", fish), ("white may change", mask.convert("RGB")),
            ("“a yellow star”", draw(star.with_(start=Inpaint(kept, masked, fill="fill")))),
            ("“a green tree”", draw(star.with_(prompt="a green tree on a blue background",
                                               start=Inpaint(kept, masked, fill="fill")))),
        ],
        "extend": [
            ("the picture", fish),
            ("96 pixels to the right, 48 to the top",
             draw(FISH.with_(prompt="a blue background", seed=4, start=Outpaint(kept, right=96, top=48)))),
        ],
        "variations": [("the picture", fish)] + [
            (f"variation {strength}", draw(FISH.with_(variation=Variation(99, strength))))
            for strength in (0.15, 0.4, 1.0)
        ],
        "refine": [("256 x 256", fish), ("refined to 384 x 384", draw(FISH.with_(refine=Refine(1.5, strength=0.05))))],
        "tile": [("one tile, nine times", three)],
        "loras": [("no LoRA", fish)] + [
            (name, draw(FISH.with_(loras=(LoraUse(f"limner-starter-{name}"),))))
            for name in ("neon", "linocut", "blueprint", "risograph")
        ],
        "control": [
            ("the picture", fish),
            ("yellow, on green",
             draw(FISH.with_(prompt="a yellow fish on a green background", seed=8, controls=(lines,)))),
            ("teal, on pink",
             draw(FISH.with_(prompt="a teal fish on a pink background", seed=9, controls=(lines,)))),
        ],
    }  # fmt: skip


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, Studio(Path(data)) as studio:
        for name, row in rows(studio).items():
            sheet(name, row)


if __name__ == "__main__":
    main()

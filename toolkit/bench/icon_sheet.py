"""`python -m toolkit.bench.icon_sheet [FOLDER]`: six matching icons in three brand colours, as SVG and as a sheet.

Drawn by the model that comes with Limner, recoloured exactly by the plugin `palette`, traced by the plugin `vector`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from toolkit.exports import export_path
from toolkit.finishing import FinishStep
from toolkit.request import GenerationRequest
from toolkit.studio import ROOT, Studio

SHEET = ROOT / "docs" / "images" / "icons.webp"
THINGS = ("heart", "star", "house", "fish", "cup", "tree")
BRAND = "#F4EFE6, #1F3A5F, #E4572E"
GAP = 12


def draw(studio: Studio, thing: str, seed: int) -> tuple[Image.Image, Path]:
    """An icon in the brand's colours, and the SVG file beside its picture."""
    request = GenerationRequest(
        f"a big blue {thing} on a white background",
        seed=seed,
        finish=(FinishStep("palette", {"colors": BRAND}),),
        extras={"vector": {"svg": True}},
    )
    made = studio.generate(request)[0]
    return made.image, export_path(made.path, "vector", "svg")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as data, Studio(Path(data)) as studio:
        icons = [draw(studio, thing, seed) for seed, thing in enumerate(THINGS, 20)]
        studio.close()  # plugins write their files on a thread of their own, which is through after this
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for thing, (_, svg) in zip(THINGS, icons, strict=True):
                (folder / f"{thing}.svg").write_bytes(svg.read_bytes())
        side = icons[0][0].width // 2
        sheet = Image.new("RGB", (6 * (side + GAP) + GAP, side + 2 * GAP), "white")
        for at, (image, _) in enumerate(icons):
            sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), (GAP + at * (side + GAP), GAP))
        sheet.save(SHEET, quality=90)


if __name__ == "__main__":
    main()

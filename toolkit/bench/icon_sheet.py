"""`python -m toolkit.bench.icon_sheet --out PATH`: six matching icons in three brand colours, as SVG and as a sheet.

Drawn by the model that comes with Limner, recoloured exactly by the plugin `palette`, traced by the plugin `vector`;
the sheet is drawn from the SVG files.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from toolkit.exports import export_path
from toolkit.finishing import FinishStep
from toolkit.request import GenerationRequest
from toolkit.studio import Studio

THINGS = ("heart", "star", "house", "fish", "cup", "tree")
GROUND, BRAND = "#F4EFE6", "#F4EFE6, #1F3A5F, #E4572E"
FIRST_SEED = 20
SIDE, GAP = 256, 16


def request_of(thing: str, seed: int) -> GenerationRequest:
    """An icon in the brand's colours, also as SVG."""
    return GenerationRequest(
        f"a big blue {thing} on a white background",
        seed=seed,
        finish=(FinishStep("palette", {"colors": BRAND}),),
        extras={"vector": {"svg": True}},
    )


def draw(folder: Path) -> list[str]:
    """The SVG files of all icons, as text."""
    with Studio(folder) as studio:
        made = [studio.generate(request_of(thing, seed))[0] for seed, thing in enumerate(THINGS, FIRST_SEED)]
    # Plugins write their files on a thread of their own, which is through once the studio is closed.
    return [export_path(one.path, "vector", "svg").read_text("utf-8") for one in made]


def sheet_of(icons: Sequence[str]) -> Image.Image:
    """Two rows of three, drawn from the outlines."""
    import resvg_py

    rows = 2
    across = -(-len(icons) // rows)
    sheet = Image.new("RGB", (across * (SIDE + GAP) + GAP, rows * (SIDE + GAP) + GAP), GROUND)
    for at, svg in enumerate(icons):
        drawn = resvg_py.svg_to_bytes(svg_string=svg, width=SIDE * 2, height=SIDE * 2)
        icon = Image.open(io.BytesIO(bytes(drawn))).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet.paste(icon, (GAP + at % across * (SIDE + GAP), GAP + at // across * (SIDE + GAP)))
    return sheet


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m toolkit.bench.icon_sheet", description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="icons.webp", metavar="PATH", help="the sheet (default: icons.webp, here)")
    parser.add_argument("--svg", metavar="DIR", help="keep the SVG files in this folder")
    parser.add_argument("--force", action="store_true", help="write over a sheet that is there")
    args = parser.parse_args(argv)
    out = Path(args.out)
    if out.exists() and not args.force:
        print(f"{out} is there already: choose another name with --out, or write over it with --force.")
        return 2
    with tempfile.TemporaryDirectory() as data:
        icons = draw(Path(data))
    if args.svg:
        folder = Path(args.svg)
        folder.mkdir(parents=True, exist_ok=True)
        for thing, svg in zip(THINGS, icons, strict=True):
            (folder / f"{thing}.svg").write_text(svg, "utf-8")
    sheet_of(icons).save(out, quality=92)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

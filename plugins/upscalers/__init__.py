"""Larger pictures: by Lanczos, and by spandrel's models from `models/upscalers`, in tiles without seams."""

from toolkit.plugins.api import Command, Number, Text, Upscaler, hookimpl

from .folders import upscale_files
from .sizes import choose, exactly, wanted

TO = Text("to", "Exact size", help="3000x2000, or 3000 for the longest side; empty for the factor.")
FILE = Text("file", "Model", help="A file in models/upscalers; empty for the best one there is.")
TILE = Number("tile", "Tile", 256, 64, 1024, whole=True, help="Smaller needs less memory.")


def lanczos(image, scale, options, context):
    return exactly(image, wanted(image.size, scale, options["to"]))


def by_model(image, scale, options, context):
    """As many passes of the model as the size needs, then Lanczos to exactly that size."""
    from .tiles import grown, load

    size = wanted(image.size, scale, options["to"])
    needed = max(size[0] / image.width, size[1] / image.height)
    model = load(choose(options["file"], needed, context), context.device)
    large = exactly(grown(model, image.convert("RGB"), needed, int(options["tile"]), context), size)
    if image.mode == "RGBA":
        large.putalpha(exactly(image.getchannel("A"), size))
    return large


@hookimpl
def register_upscalers():
    yield Upscaler("lanczos", "Enlarge (Lanczos)", lanczos, scales=(1.5, 2.0, 3.0, 4.0), params=(TO,))
    yield Upscaler(
        "upscale", "Enlarge by a model", by_model, scales=(1.5, 2.0, 3.0, 4.0, 8.0),
        help="Models are files in models/upscalers.", params=(FILE, TO, TILE),
    )  # fmt: skip


@hookimpl
def register_commands():
    yield Command(
        "upscale", "enlarge pictures and folders of pictures", upscale_files,
        params=(
            Number("scale", "Factor", 2, 1, 8, help="How many times as wide and high (default: 2)."),
            TO, Text("model", "Model", help="Its name in models/upscalers, or “lanczos” (default: the best there is)."),
            Text("out", "Folder", help="Where they are saved (default: “upscaled” beside the pictures)."), TILE,
        ),
    )  # fmt: skip

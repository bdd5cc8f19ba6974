"""Larger pictures: by Lanczos, and by spandrel's models from `models/upscalers`, in tiles without seams."""

from toolkit.plugins.api import Number, RequestError, Text, Upscaler, hookimpl

SUFFIXES = (".safetensors", ".pth")  # .pt is TorchScript, which can hold any program


def lanczos(image, scale, options, context):
    from PIL import Image

    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def by_model(image, scale, options, context):
    """The model's own factor first, then Lanczos to the factor that was asked for."""
    from .tiles import load, upscale

    model = load(model_file(options["file"], context), context.device)
    large = upscale(model, image.convert("RGB"), int(options["tile"]), context)
    wanted = (round(image.width * scale), round(image.height * scale))
    if image.mode == "RGBA":
        large.putalpha(image.getchannel("A").resize(large.size))
    return large if large.size == wanted else lanczos(large, wanted[0] / large.width, {}, context).resize(wanted)


def model_file(name, context):
    """The file that is asked for, or the only one there is."""
    folder = context.models / "upscalers"
    there = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    for path in there:
        if name in (path.name, path.stem) or (not name and len(there) == 1):
            return path
    names = ", ".join(path.stem for path in there) or "none yet: put a .safetensors or .pth file there"
    raise RequestError("finish.upscale.file", f"There is no upscaler “{name}” in {folder}; there are {names}.")


@hookimpl
def register_upscalers():
    yield Upscaler("lanczos", "Enlarge (Lanczos)", lanczos, scales=(1.5, 2.0, 3.0, 4.0))
    yield Upscaler(
        "upscale", "Enlarge by a model", by_model, scales=(1.5, 2.0, 3.0, 4.0),
        help="Models are files in models/upscalers.",
        params=(
            Text("file", "Model"),
            Number("tile", "Tile", 256, 64, 1024, whole=True, help="Smaller needs less memory."),
        ),
    )  # fmt: skip

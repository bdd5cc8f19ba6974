"""Pictures as SVG, by `vtracer`: their flat colours first, then the outlines of the areas."""

from pathlib import Path

from toolkit.plugins.api import Command, Exporter, Number, RequestError, Toggle, export_path, hookimpl

MOST_PIXELS = 4_000_000


def traced(path, colors):
    """The SVG of a picture's file, as text."""
    from PIL import Image

    from .tracing import trace

    with Image.open(path) as image:
        return trace(image.convert("RGBA" if "A" in image.mode else "RGB"), int(colors))


def command(studio, words, options):
    if not words:
        print("Name the pictures: `python3 launch.py vector PICTURE.png`.")
        return 2
    for word in words:
        path = Path(word).expanduser()
        try:
            svg = traced(path, options["colors"])
        except OSError as error:
            print(f"{path} can't be read as a picture ({error.strerror or error}).")
            return 2
        path.with_suffix(".svg").write_text(svg, "utf-8")
        print(path.with_suffix(".svg"))
    return 0


@hookimpl
def register_commands():
    params = (Number("colors", "Colours", 0, 0, 64, whole=True, help="how many colours; 0 for as many as it needs"),)
    yield Command("vector", "write pictures as SVG files beside them", command, params)


def exported(image, context):
    """The SVG file of a picture, for the page's button; with the colours that were asked for with the picture."""
    if image.width * image.height > MOST_PIXELS:
        raise RequestError("export", f"{image.width} × {image.height} pixels are too many to trace: at most 4 million.")
    from .tracing import trace

    return trace(image, int(context.request.extras.get("vector", {}).get("colors", 0))).encode("utf-8")


@hookimpl
def register_exporters():
    yield Exporter("vector", "SVG", "svg", "image/svg+xml", exported, "As outlines, for flat pictures")


@hookimpl
def register_options():
    yield Toggle("svg", "Also as SVG", help="Writes an SVG file of each picture into the folder exports beside it.")
    yield Number("colors", "Colours", 0, 0, 64, whole=True, help="0 takes as many as the picture needs.")


@hookimpl
def on_event(event):
    if event.state.value != "finished":
        return
    for made in event.images:
        asked = made.request.extras.get("vector", {})
        if asked.get("svg"):
            svg = traced(made.path, asked.get("colors", 0))
            file = export_path(made.path, "vector", "svg")
            file.parent.mkdir(exist_ok=True)
            file.write_text(svg, "utf-8")

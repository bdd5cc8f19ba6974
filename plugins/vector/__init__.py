"""Pictures as SVG, by `vtracer`: their flat colours first, then the outlines of the areas."""

from pathlib import Path

from toolkit.plugins.api import Command, Exporter, Number, RequestError, Toggle, export_path, hookimpl

ENOUGH_DB = 34.0
# More areas than anybody would edit by hand: then the smallest go.
MOST_PATHS = 300
MOST_PIXELS = 4_000_000


def trace(image, colors=0):
    """The picture as the text of an SVG file; `colors` 0 takes as many as the picture needs."""
    import io

    import vtracer
    from PIL import Image, ImageFilter

    rgb = image.convert("RGB")
    calm = rgb.filter(ImageFilter.MedianFilter(3))
    flat = None
    for count in [colors] if colors else (8, 12, 16, 24, 32, 48):
        flat = calm.quantize(count, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE).convert("RGB")
        if likeness(rgb, flat) >= ENOUGH_DB:
            break
    if image.mode == "RGBA":
        flat.putalpha(image.getchannel("A").point(lambda value: 255 if value > 127 else 0))
    file = io.BytesIO()
    flat.resize((flat.width * 2, flat.height * 2), Image.Resampling.LANCZOS).save(file, "PNG", compress_level=1)
    for speckle, step in ((8, 10), (12, 12), (16, 14), (24, 16), (32, 20)):
        svg = vtracer.convert_raw_image_to_svg(
            file.getvalue(), img_format="png", colormode="color", hierarchical="stacked", mode="spline",
            filter_speckle=speckle, color_precision=7, layer_difference=step, corner_threshold=60, length_threshold=4.0,
            splice_threshold=45, path_precision=1,
        )  # fmt: skip
        if svg.count("<path") < MOST_PATHS:
            break
    whole = f'<svg width="{flat.width * 2}" height="{flat.height * 2}"'
    sized = f'<svg width="{flat.width}" height="{flat.height}" viewBox="0 0 {flat.width * 2} {flat.height * 2}"'
    other = f'height="{flat.height * 2}" width="{flat.width * 2}"'
    return svg.replace(whole[5:], sized[5:], 1).replace(other, sized[5:], 1)


def likeness(first, second):
    """Peak signal-to-noise ratio in dB."""
    import numpy as np

    off = np.asarray(first, dtype=np.float32) - np.asarray(second, dtype=np.float32)
    return float(10 * np.log10(255**2 / max(1e-9, (off**2).mean())))


def command(studio, words, options):
    from PIL import Image

    if not words:
        print("Name the pictures: `python3 launch.py vector PICTURE.png`.")
        return 2
    for word in words:
        path = Path(word).expanduser()
        try:
            with Image.open(path) as image:
                svg = trace(image.convert("RGBA" if "A" in image.mode else "RGB"), int(options["colors"]))
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
    from PIL import Image

    for made in event.images:
        asked = made.request.extras.get("vector", {})
        if asked.get("svg"):
            with Image.open(made.path) as image:
                svg = trace(image, int(asked.get("colors", 0)))
            file = export_path(made.path, "vector", "svg")
            file.parent.mkdir(exist_ok=True)
            file.write_text(svg, "utf-8")

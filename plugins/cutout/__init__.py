"""Takes the ground away: a plain one by its colour, any other with a segmentation model from `models/segmentation`."""

import io

from toolkit.plugins.api import Choice, Exporter, Number, Postprocessor, RequestError, Text, Toggle, hookimpl

# The share of the border that has one colour, from which on a ground counts as plain.
PLAIN = 0.6
TOLERANCE = 0.12


def cut(image, options, context):
    """The picture with a transparent ground; "auto" takes the model only where colour can't do it."""
    by = options["by"]
    if by == "auto":
        from .segmentation import folders

        by = "colour" if plainness(image, options["tolerance"]) >= PLAIN or not folders(context.models) else "model"
    if by == "model":
        from .segmentation import cut_by_model

        return cut_by_model(image, options["model"], context)
    from .matte import by_colour

    return by_colour(image, options["tolerance"], options["holes"])


def plainness(image, tolerance):
    """The share of the border, 0 to 1, that has the colour of its middle value."""
    import numpy as np

    from .matte import border

    edge = border(np.asarray(image.convert("RGB"), dtype=np.float32))
    return float((np.abs(edge - np.median(edge, axis=0)).max(axis=1) <= tolerance * 255).mean())


def exported(image, context):
    """The picture as a PNG with a transparent ground, with the settings that stand in the picture."""
    from PIL.PngImagePlugin import PngInfo

    if image.mode != "RGBA":
        if plainness(image, TOLERANCE) < PLAIN:
            why = "The picture's ground is not plain, so it can't be taken away by its colour: draw it again with"
            raise RequestError("export", f"{why} “plain background” or with the finishing step Cutout.")
        from .matte import by_colour

        texts, image = getattr(image, "text", {}), by_colour(image, TOLERANCE, holes=False)
    else:
        texts = getattr(image, "text", {})
    info, file = PngInfo(), io.BytesIO()
    for name in ("parameters", "limner"):
        if name in texts:
            info.add_text(name, texts[name])
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


@hookimpl
def register_exporters():
    yield Exporter("cutout", "Transparent PNG", "png", "image/png", exported, "Without its plain ground")


@hookimpl
def register_postprocessors():
    yield Postprocessor(
        "cutout", "Cutout", cut, order=-5, help="Best on plain backgrounds; others need a segmentation model.",
        params=(
            Choice("by", "Cut by", options=("auto", "colour", "model"), help="A model lies in models/segmentation."),
            Number("tolerance", "Tolerance", TOLERANCE, maximum=0.6, help="How far from the ground's colour."),
            Toggle("holes", "Holes too", help="Also where the ground shows through the thing."),
            Text("model", "Model", help="The folder's name, when there are several."),
        ),
    )  # fmt: skip

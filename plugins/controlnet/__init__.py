"""Control units: which ControlNets there are kinds of, and the preprocessors that make their pictures."""

from functools import partial

from toolkit.plugins.api import Control, Number, Preprocessor, Toggle, hookimpl

from .annotators import ANNOTATORS, annotate
from .lines import canny, inverted, scribble

KINDS = (
    Control("lines", "Lines", ("lines", "canny", "lineart", "scribble"), "canny", "Edges keep their place."),
    Control("canny", "Edges (Canny)", ("canny", "lines"), "canny"),
    Control("scribble", "Scribble", ("scribble", "lines"), "scribble"),
    Control("softedge", "Soft edges", ("softedge", "hed", "pidinet"), "hed"),
    Control("mlsd", "Straight lines", ("mlsd",), "mlsd"),
    Control("lineart", "Line art", ("lineart",), "lineart"),
    Control("normal", "Surfaces", ("normal", "normalbae"), "normal"),
    Control("depth", "Depth", ("depth", "zoe"), "depth"),
    Control("openpose", "Pose", ("openpose", "pose"), "openpose"),
)

DETAIL = (
    Toggle("pixel_perfect", "Pixel perfect", True, help="Looks at the picture at the size that is drawn."),
    Number("resolution", "Resolution otherwise", 512, 128, 2048, 64, whole=True, help="Pixels of the shorter side."),
)


def at_resolution(run, image, options, context):
    """What `run` makes of the picture with so many pixels on its shorter side, back at the picture's size."""
    if options["pixel_perfect"]:
        return run(image, options, context)
    scale = options["resolution"] / min(image.size)
    small = image.resize([max(8, round(side * scale)) for side in image.size], 1)
    return run(small, options, context).resize(image.size)


def preprocessor(name, label, run, *params, help=""):
    return Preprocessor(name, label, partial(at_resolution, run), params=(*params, *DETAIL), help=help)


@hookimpl
def register_controls():
    yield from KINDS


@hookimpl
def register_preprocessors():
    yield preprocessor(
        "canny", "Edges (Canny)", canny,
        Number("low", "Weakest edge", 100, 0, 255, step=1, whole=True),
        Number("high", "Surest edge", 200, 1, 255, step=1, whole=True),
    )  # fmt: skip
    yield preprocessor("scribble", "Scribble", scribble, Number("width", "Line", 4, 1, 12, step=1, whole=True))
    yield Preprocessor("invert", "Dark lines on paper", inverted, help="For a drawing that is lines already.")
    for name, annotator in ANNOTATORS.items():
        needs = f"Needs {' and '.join(annotator.files)} in models/annotators."
        yield preprocessor(name, annotator.label, partial(annotate, name), *annotator.params, help=needs)

"""Control units: which ControlNets there are kinds of, and the preprocessors that make their pictures."""

from functools import partial

from toolkit.plugins.api import Control, Number, Preprocessor, hookimpl

from .annotators import ANNOTATORS, annotate, canny, scribble

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


@hookimpl
def register_controls():
    yield from KINDS


@hookimpl
def register_preprocessors():
    yield Preprocessor(
        "canny", "Edges (Canny)", canny,
        params=(Number("low", "Weakest edge", 100, 0, 255, whole=True),
                Number("high", "Surest edge", 200, 1, 255, whole=True)),
    )  # fmt: skip
    yield Preprocessor("scribble", "Scribble", scribble, params=(Number("width", "Line", 4, 1, 12, whole=True),))
    for name, annotator in ANNOTATORS.items():
        yield Preprocessor(
            name, annotator.label, partial(annotate, name), help=f"Needs {annotator.files[0]} in models/annotators."
        )

"""Finishing steps with Pillow and numpy; whatever is left to chance is seeded by the picture's own seed."""

from toolkit.plugins.api import Choice, Color, ImageInput, Number, Postprocessor, Text, hookimpl

from .grading import grade
from .printing import grain, halftone, paper, vignette
from .setting import border, caption

LOOKS = ("warm", "cool", "faded", "teal and orange", "black and white")


@hookimpl
def register_postprocessors():
    yield Postprocessor(
        "grade", "Colour grade", grade, order=10, help="A look by a colour table, or by a .cube file of your own.",
        params=(
            Choice("look", "Look", options=LOOKS),
            Text("cube", "Your .cube file", help="Name of a file in the folder `luts` of the data folder."),
            Number("amount", "Amount", default=1.0),
        ),
    )  # fmt: skip
    yield Postprocessor(
        "halftone", "Halftone", halftone, order=20, help="Dots of one ink, as in newspapers.",
        params=(
            Number("cell", "Dot distance", default=6, minimum=3, maximum=40, whole=True, help="In pixels."),
            Number("angle", "Angle", default=45, minimum=0, maximum=90),
            Color("ink", "Ink", default="#1a1a1a"),
            Color("ground", "Paper", default="#ffffff"),
        ),
    )  # fmt: skip
    yield Postprocessor(
        "paper", "Paper", paper, order=30, help="A fibrous ground under the colours.",
        params=(Number("amount", "Amount", default=0.35), ImageInput("texture", "A texture of your own")),
    )  # fmt: skip
    yield Postprocessor(
        "grain", "Film grain", grain, order=40, help="Strongest in the middle tones, as on film.",
        params=(
            Number("amount", "Amount", default=0.3),
            Number("size", "Size", default=1, minimum=1, maximum=4, step=0.5),
        ),
    )  # fmt: skip
    yield Postprocessor(
        "vignette", "Vignette", vignette, order=50, help="Darker towards the corners.",
        params=(Number("amount", "Amount", default=0.4), Number("reach", "Reach", default=0.5)),
    )  # fmt: skip
    yield Postprocessor(
        "border", "Border", border, order=60,
        params=(Number("width", "Width", default=0.06, maximum=0.3, help="Share of the shorter side."),
                Color("color", "Colour", default="#ffffff")),
    )  # fmt: skip
    yield Postprocessor(
        "caption", "Caption", caption, order=70, help="A line of text below the picture.",
        params=(Text("text", "Text", help="{prompt} and {seed} are filled in."),
                Color("ink", "Text colour", default="#303030"), Color("ground", "Ground", default="#ffffff")),
    )  # fmt: skip

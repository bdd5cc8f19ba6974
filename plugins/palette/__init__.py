"""Recolours a picture's flat areas to brand colours, exactly; soft edges keep their mixture."""

import re

from toolkit.plugins.api import Choice, Postprocessor, RequestError, Text, hookimpl

MOST = 7


def colours_of(text):
    """The hex colours in a text as (r, g, b); RequestError when there are none or too many."""
    found = re.findall(r"#?\b([0-9a-fA-F]{6})\b", text)
    if not 1 <= len(found) <= MOST:
        said = f"Give one to {MOST} colours like #1a9cd8; “{text[:60]}” has {len(found)}."
        raise RequestError("finish.palette.colors", said)
    return [tuple(int(digits[at : at + 2], 16) for at in (0, 2, 4)) for digits in found]


def recolour(image, options, context):
    """Each pixel is a mixture of two areas next to it; the same mixture of the brand's colours replaces it."""
    import numpy as np
    from PIL import Image

    from .colour import areas, assign
    from .mixing import mixtures

    brand = colours_of(options["colors"])
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    centres, shares = areas(pixels, len(brand))
    targets = np.array(brand, dtype=np.float32)[assign(centres, shares, brand, options["match"])]
    first, second, share = mixtures(pixels, centres)
    done = targets[first] * (1 - share[..., None]) + targets[second] * share[..., None]
    result = Image.fromarray((done + 0.5).astype(np.uint8))
    if image.mode == "RGBA":
        result.putalpha(image.getchannel("A"))
    return result


@hookimpl
def register_postprocessors():
    yield Postprocessor(
        "palette", "Brand palette", recolour, order=-10,
        help="As many areas as colours at most; small ones join the nearest.",
        params=(
            Text("colors", "Colours", "#e4433d, #f7cf46, #26262b", help="Hex colours, separated by commas."),
            Choice("match", "Match", options=("likeness", "area"), help="area: the first colour for the largest area"),
        ),
    )  # fmt: skip


@hookimpl
def describe_image(request, image):
    """How much of the picture is in each of the brand's colours, and how far off its flat areas are."""
    steps = [step for step in request.finish if step.name == "palette"]
    if not steps:
        return None
    from .colour import distances

    text = steps[-1].options.get("colors", "#e4433d, #f7cf46, #26262b")
    found = distances(image, colours_of(text))
    return {f"#{r:02x}{g:02x}{b:02x}": f"{share:.1%} of the picture, ΔE {off:.2f}" for (r, g, b), share, off in found}

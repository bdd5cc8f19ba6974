"""Takes away a flat ground: what is of the border's colour and joined to the border becomes transparent."""

from toolkit.plugins.api import Number, Postprocessor, Toggle, hookimpl


def cut(image, options, context):
    """Edges get the share of the thing in their mixture as alpha, and the ground's colour is taken out of them."""
    import numpy as np
    from PIL import Image, ImageFilter

    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(edge, axis=0)
    away = np.abs(pixels - ground).max(axis=2)
    near = away <= options["tolerance"] * 255
    outside = near if options["holes"] else _joined_to_border(near)
    ring = np.asarray(Image.fromarray(outside).convert("L").filter(ImageFilter.MaxFilter(5))) > 0
    full = np.asarray(Image.fromarray(np.clip(away, 0, 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(5)))
    alpha = np.ones_like(away)
    alpha[ring] = np.clip(away[ring] / np.maximum(full[ring], 1), 0, 1)
    alpha[outside] = 0
    clear = np.clip((pixels - (1 - alpha[..., None]) * ground) / np.maximum(alpha[..., None], 0.05), 0, 255)
    done = np.dstack([np.where(alpha[..., None] > 0, clear, 0), alpha * 255])
    return Image.fromarray((done + 0.5).astype(np.uint8), "RGBA")


def _joined_to_border(mask):
    """The part of a mask that is joined to the border, by sweeps in four directions until nothing is added."""
    import numpy as np

    reached = np.zeros_like(mask)
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        reached[side] = mask[side]
    before = -1
    while before != (before := int(reached.sum())):
        for lines, allowed in ((reached, mask), (reached.T, mask.T)):
            for step in (1, -1):
                order = range(1, len(lines)) if step == 1 else range(len(lines) - 2, -1, -1)
                for at in order:
                    lines[at] |= lines[at - step] & allowed[at]
    return reached


@hookimpl
def register_postprocessors():
    yield Postprocessor(
        "cutout", "Cutout", cut, order=-5, help="Best on pictures with a plain background.",
        params=(
            Number("tolerance", "Tolerance", default=0.12, maximum=0.6, help="How far from the ground's colour."),
            Toggle("holes", "Holes too", help="Also where the ground shows through the thing."),
        ),
    )  # fmt: skip

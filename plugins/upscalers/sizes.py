"""Which size is wanted, which model is the best for it, and how a picture comes to exactly that size."""

import re

from toolkit.plugins.api import RequestError

MOST_PIXELS = 8192 * 8192
SUFFIXES = (".safetensors", ".pth")  # .pt is TorchScript, which can hold any program
_FACTOR = re.compile(r"(?<![a-z0-9])([1-9])x|x([1-9])(?![0-9])", re.IGNORECASE)


def wanted(size, scale, to=""):
    """Width and height: `scale` times the picture's, or what `to` says: 3000x2000, or 3000 for the longest side."""
    width, height = size
    text = re.sub(r"\s", "", to.lower().replace("×", "x"))
    if text:
        found = re.fullmatch(r"([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", text)
        if not found:
            sentence = f"“{to[:40]}” is no size: write 3000x2000, or 3000 for the longest side."
            raise RequestError("finish.upscale.to", sentence)
        if found[2]:
            width, height = int(found[1]), int(found[2])
        else:
            scale = int(found[1]) / max(size)
    if not (text and found[2]):
        width, height = (max(1, round(side * scale)) for side in size)
    if width * height > MOST_PIXELS:
        raise RequestError("finish", f"{width} × {height} are more than 8192 × 8192 pixels, the most that work.")
    return width, height


def exactly(image, size):
    """The picture at this size by Lanczos; of another shape, what covers it, cut equally on both sides."""
    from PIL import Image, ImageOps

    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def factor(name):
    """How often a model enlarges, as far as its name tells: "RealESRGAN_x4plus", "4x-UltraSharp"; 4 otherwise."""
    found = _FACTOR.search(name)
    return int(next(filter(None, found.groups()))) if found else 4


def choose(name, needed, context):
    """The model's file of this name; without one the best there is.

    People's own models come before the starter's; then the smallest factor that is enough, then the largest.
    """
    there = {key: path for key, path in context.weights("upscaler").items() if path.suffix.lower() in SUFFIXES}
    for key, path in there.items():
        if name and name in (key, path.name):
            return path
    if name or not there:
        names = ", ".join(sorted(there)) or "none yet: put a .safetensors or .pth file there, or use Lanczos"
        called = f"There is no upscaler “{name[:100]}” in models/upscalers" if name else "models/upscalers is empty"
        raise RequestError("finish.upscale.file", f"{called}; there are {names}.")

    def worth(key):
        short = factor(key) + 0.02 < needed
        return key.startswith("limner-starter"), short, -factor(key) if short else factor(key), key

    return there[min(there, key=worth)]

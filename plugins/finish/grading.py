"""Colour tables: looks made here, and .cube files (Adobe Cube LUT 1.0, 1D left out) of a person's own."""

import re

from toolkit.plugins.api import RequestError

MAX_SIZE, MAX_BYTES = 65, 20_000_000


def grade(image, options, context):
    from PIL import Image

    table = _file(options["cube"], context) if options["cube"] else _look(options["look"])
    graded = image.convert("RGB").filter(table)
    mixed = Image.blend(image.convert("RGB"), graded, options["amount"])
    if image.mode == "RGBA":
        mixed.putalpha(image.getchannel("A"))
    return mixed


def _look(name):
    from PIL import ImageFilter

    def warm(r, g, b):
        return r * 1.05 + 0.02, g * 1.0 + 0.005, b * 0.88

    def cool(r, g, b):
        return r * 0.9, g * 0.99, b * 1.05 + 0.02

    def faded(r, g, b):
        return tuple(0.12 + 0.78 * (0.75 * c + 0.25 * (r + g + b) / 3) for c in (r, g, b))

    def teal_orange(r, g, b):
        light = 0.3 * r + 0.59 * g + 0.11 * b
        return r + 0.12 * (light - 0.4), g + 0.02 * (light - 0.5), b - 0.16 * (light - 0.5)

    def black_white(r, g, b):
        light = 0.3 * r + 0.59 * g + 0.11 * b
        return (light * light * (3 - 2 * light),) * 3

    looks = {
        "warm": warm, "cool": cool, "faded": faded, "teal and orange": teal_orange, "black and white": black_white,
    }  # fmt: skip
    return ImageFilter.Color3DLUT.generate(17, looks[name])


def _file(name, context):
    """The table in `luts/NAME` of the data folder; a RequestError names what is wrong with the file."""
    from PIL import ImageFilter

    if not re.fullmatch(r"[\w][\w .-]{0,80}", name):
        raise RequestError("finish.grade.cube", f"“{name[:80]}” is no name of a file in {context.data / 'luts'}.")
    path = context.data / "luts" / (name if name.lower().endswith(".cube") else f"{name}.cube")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RequestError("finish.grade.cube", f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB.")
        size, values = _parse(path.read_text("utf-8", "replace"))
    except OSError:
        raise RequestError("finish.grade.cube", f"There is no file {path.name} in {path.parent}.")
    except ValueError as error:
        raise RequestError("finish.grade.cube", f"{path.name} is no 3D .cube file: {error}.")
    return ImageFilter.Color3DLUT(size, values)


def _parse(text):
    size, values = 0, []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "LUT_3D_SIZE":
            size = int(words[1])
        elif words[0] in ("DOMAIN_MIN", "DOMAIN_MAX"):
            if [float(word) for word in words[1:]] != [float(words[0] == "DOMAIN_MAX")] * 3:
                raise ValueError("only the domain 0 to 1 works")
        elif words[0][0] in "+-.0123456789":
            values += [float(word) for word in words]
    if not 2 <= size <= MAX_SIZE or len(values) != 3 * size**3:
        raise ValueError(f"it says size {size} and has {len(values) // 3} colours")
    return size, values

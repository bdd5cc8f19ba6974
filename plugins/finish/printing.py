"""What film, ink and paper do. Pictures are float arrays (height, width, 3) in 0…1 here."""

import math


def _array(image):
    import numpy as np

    return np.asarray(image.convert("RGB"), dtype=np.float32) / 255


def _image(pixels, like):
    """Back to a picture; the transparency of `like` stays."""
    import numpy as np
    from PIL import Image

    done = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    if like.mode == "RGBA":
        done.putalpha(like.getchannel("A"))
    return done


def _noise(context, height, width):
    """Gaussian noise that is the same for the same picture and step."""
    import numpy as np

    return np.random.default_rng(context.random().getrandbits(64)).standard_normal((height, width), dtype=np.float32)


def _resized(field, width, height):
    from PIL import Image

    return Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC)


def _rgb(color):
    return [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def grain(image, options, context):
    import numpy as np

    pixels = _array(image)
    height, width, _ = pixels.shape
    size = options["size"]
    noise = _noise(context, max(1, math.ceil(height / size)), max(1, math.ceil(width / size)))
    noise = np.asarray(_resized(noise, width, height))
    light = pixels.mean(axis=2)
    strength = 0.25 * options["amount"] * (0.35 + 2.6 * light * (1 - light))
    return _image(pixels + (noise * strength)[..., None], image)


def halftone(image, options, context):
    """Amplitude-modulated dots: a rotated cosine screen is the threshold for the darkness of each pixel."""
    import numpy as np

    scale = 3  # drawn larger and brought down, so that the dots have smooth edges
    large = image.convert("L").resize((image.width * scale, image.height * scale))
    dark = 1 - np.asarray(large, dtype=np.float32) / 255
    angle, cell = math.radians(options["angle"]), options["cell"] * scale
    y, x = np.mgrid[: dark.shape[0], : dark.shape[1]].astype(np.float32)
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    screen = (np.cos(u * 2 * math.pi / cell) + np.cos(v * 2 * math.pi / cell)) / 4 + 0.5
    inked = (dark > 1 - _levelled(screen)).astype(np.float32)
    cover = inked.reshape(image.height, scale, image.width, scale).mean(axis=(1, 3))[..., None]
    ink, ground = np.array(_rgb(options["ink"])), np.array(_rgb(options["ground"]))
    return _image(cover * ink + (1 - cover) * ground, image)


def _levelled(screen):
    """The screen's values spread evenly over 0…1, so that half darkness inks half of the area."""
    import numpy as np

    sample = np.sort(screen[::7, ::7].ravel())
    return np.interp(screen, sample, np.linspace(0, 1, len(sample), dtype=np.float32))


def paper(image, options, context):
    import numpy as np

    pixels = _array(image)
    height, width, _ = pixels.shape
    if options["texture"]:
        texture = context.picture(options["texture"]).convert("L").resize((width, height))
        relief = np.asarray(texture, dtype=np.float32) / 255
        relief = relief - relief.mean()
    else:
        coarse = _noise(context, max(2, height // 24), max(2, width // 24))
        fine = np.asarray(_resized(_noise(context, max(2, height // 2), max(2, width // 6)), width, height))
        relief = 0.05 * np.asarray(_resized(coarse, width, height)) + 0.07 * fine
    tint = 1 - options["amount"] * 0.12 * (1 - np.array([1.0, 0.97, 0.88]))
    return _image(pixels * tint * (1 + options["amount"] * relief)[..., None], image)


def vignette(image, options, context):
    import numpy as np

    pixels = _array(image)
    height, width, _ = pixels.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    away = np.clip((np.sqrt((x**2 + y**2) / 2) - (1 - options["reach"])) / max(0.05, options["reach"]), 0, 1)
    return _image(pixels * (1 - options["amount"] * away**2 * (3 - 2 * away))[..., None], image)

"""From pixels to outlines: few colours, vtracer, and a look at the result."""

import io
import re

from PIL import Image, ImageFilter

# A tracing as near as this to its picture is good; more areas than MOST_PATHS nobody would edit by hand.
GOOD_DB, ENOUGH_DB, MOST_PATHS = 30.5, 30.0, 300
FLAT_DB = 34.0
# The share of a picture that has to be in a few exact colours before all of it is traced in these.
EXACT = 0.85
# Colours no further apart than this in any channel count as one: edges ring, and the tracer rounds.
ROUNDED = 8
# (smallest speck, step between colours), from few paths to many.
WAYS = ((32, 20), (16, 14), (8, 10), (4, 8))


def trace(image, colors=0):
    """The picture as the text of an SVG file, with as few paths as look like it; `colors` 0 takes as many as it needs.

    Each way of tracing is drawn again and compared; when none is good, the nearest with few enough paths is taken.
    """
    few = () if colors else exact_colours(image)
    found = best_of(image, enlarged(image, few), few) if few else (0.0, "")
    if found[0] < ENOUGH_DB:
        found = max(found, best_of(image, twice(flattened(image, colors)), few))
    return found[1]


def best_of(image, large, colours):
    """(likeness in dB, SVG) of the coarsest good way to trace `large`, `image` at twice its size, or of the best."""
    file = io.BytesIO()
    large.save(file, "PNG", compress_level=1)
    best = (0.0, "")
    for speck, step in WAYS:
        svg = snapped(outlines(file.getvalue(), image.size, speck, step), colours)
        if best[1] and svg.count("<path") >= MOST_PATHS:
            break
        best = max(best, (likeness(on_white(image), drawn(svg)), svg))
        if best[0] >= GOOD_DB:
            break
    return best


def flattened(image, colors):
    """The picture in few colours, so that areas have no noise; RGBA with a hard edge when it is transparent."""
    rgb = image.convert("RGB")
    calm = rgb.filter(ImageFilter.MedianFilter(3))
    for count in [colors] if colors else (8, 12, 16, 24, 32, 48):
        flat = calm.quantize(count, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE).convert("RGB")
        if likeness(rgb, flat) >= FLAT_DB:
            break
    if image.mode == "RGBA":
        flat.putalpha(image.getchannel("A").point(lambda value: 255 if value > 127 else 0))
    return flat


def twice(image):
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.LANCZOS)


def exact_colours(image):
    """The colours of a picture that is made of a few, a brand's say, with soft edges; () for any other."""
    if image.mode == "RGBA":
        return ()
    pixels = image.width * image.height
    found = sorted(image.convert("RGB").getcolors(pixels), reverse=True)
    common = [colour for number, colour in found if number >= pixels / 500]
    if sum(number for number, _ in found[: len(common)]) < EXACT * pixels:
        return ()
    few: list[tuple[int, ...]] = []
    for colour in common:
        if all(distance(colour, other) > ROUNDED for other in few):
            few.append(colour)
    return tuple(few)


def distance(first, second):
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def enlarged(image, colours):
    """Twice the size, each pixel one of `colours`: the areas are enlarged, so that their edges stay smooth."""
    import numpy as np

    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    nearest = ((pixels[:, :, None] - np.array(colours)) ** 2).sum(axis=3).argmin(axis=2)
    masks = [twice(Image.fromarray((nearest == number).astype(np.float32))) for number in range(len(colours))]
    return Image.fromarray(np.array(colours, dtype=np.uint8)[np.stack(masks).argmax(axis=0)])


def snapped(svg, colours):
    """An SVG with fills that are nearly one of `colours` brought to it: the tracer rounds them."""

    def exact(found):
        mine = tuple(int(found[1][at : at + 2], 16) for at in (0, 2, 4))
        near = min(colours, key=lambda colour: distance(mine, colour))
        return f'fill="#{bytes(near).hex()}"' if distance(mine, near) <= ROUNDED else found[0]

    return re.sub(r'fill="#([0-9a-fA-F]{6})"', exact, svg) if colours else svg


def outlines(png, size, speck, step):
    """An SVG of `size` pixels of a PNG that is twice as large."""
    import vtracer

    svg = vtracer.convert_raw_image_to_svg(
        png, img_format="png", colormode="color", hierarchical="stacked", mode="spline", filter_speckle=speck,
        color_precision=7, layer_difference=step, corner_threshold=60, length_threshold=4.0, splice_threshold=45,
        path_precision=1,
    )  # fmt: skip
    width, height = size
    sized = f'width="{width}" height="{height}" viewBox="0 0 {2 * width} {2 * height}"'
    for large in (f'width="{2 * width}" height="{2 * height}"', f'height="{2 * height}" width="{2 * width}"'):
        svg = svg.replace(large, sized, 1)
    return svg


def drawn(svg):
    """The picture that an SVG shows, on white."""
    import resvg_py

    return on_white(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))))


def on_white(image):
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def likeness(first, second):
    """Peak signal-to-noise ratio in dB."""
    import numpy as np

    off = np.asarray(first, dtype=np.float32) - np.asarray(second, dtype=np.float32)
    return float(10 * np.log10(255**2 / max(1e-9, (off**2).mean())))

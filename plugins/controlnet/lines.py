"""Preprocessors that need no weights: edges, a broad pen, and pictures that are lines already."""


def canny(image, options, context):
    """White edges on black (Canny 1986), as controlnet_aux makes them and without importing all of it."""
    import cv2
    import numpy
    from PIL import Image

    low, high = sorted((options["low"], options["high"]))
    return Image.fromarray(cv2.Canny(numpy.asarray(image), low, high)).convert("RGB")


def scribble(image, options, context):
    """Edges drawn again with a broad pen, as if by hand."""
    import cv2
    import numpy
    from PIL import Image

    edges = cv2.Canny(cv2.GaussianBlur(numpy.asarray(image), (5, 5), 0), 60, 160)
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (options["width"], options["width"]))
    return Image.fromarray(cv2.dilate(edges, pen)).convert("RGB")


def inverted(image, options, context):
    """Dark lines on paper as the light lines on black that ControlNets for lines were taught."""
    from PIL import ImageOps

    return ImageOps.invert(image.convert("L")).convert("RGB")

"""The preprocessors: two that need no weights, and controlnet_aux's detectors, imported when one runs."""

from dataclasses import dataclass, field

from toolkit.plugins.api import RequestError

SOURCE = "the repository “lllyasviel/Annotators” has them"


@dataclass(frozen=True)
class Annotator:
    """A detector of controlnet_aux, and the files of weights that it opens; further options of its call."""

    label: str
    detector: str
    files: tuple[str, ...]
    options: dict = field(default_factory=dict)


ANNOTATORS = {
    "hed": Annotator("Soft edges (HED)", "HEDdetector", ("ControlNetHED.pth",)),
    "pidinet": Annotator("Soft edges (PiDiNet)", "PidiNetDetector", ("table5_pidinet.pth",)),
    "mlsd": Annotator("Straight lines (MLSD)", "MLSDdetector", ("mlsd_large_512_fp32.pth",)),
    "lineart": Annotator("Line art", "LineartDetector", ("sk_model.pth", "sk_model2.pth")),
    "lineart_anime": Annotator("Line art (anime)", "LineartAnimeDetector", ("netG.pth",)),
    "normal": Annotator("Surfaces (BAE)", "NormalBaeDetector", ("scannet.pt",)),
    "depth": Annotator("Depth (MiDaS)", "MidasDetector", ("dpt_hybrid-midas-501f0c75.pt",), {"output_type": "pil"}),
    "depth_zoe": Annotator("Depth (Zoe)", "ZoeDetector", ("ZoeD_M12_N.pt",), {"output_type": "pil"}),
    "openpose": Annotator(
        "Pose", "OpenposeDetector", ("body_pose_model.pth", "hand_pose_model.pth", "facenet.pth"),
        {"hand_and_face": False},
    ),
}  # fmt: skip


def annotate(name, image, options, context):
    """The control picture of a detector, at the picture's own size ("pixel perfect")."""
    annotator = ANNOTATORS[name]
    folder = context.models / "annotators"
    missing = [file for file in annotator.files if not (folder / file).is_file()]
    if missing:
        needs = " and ".join(missing)
        raise RequestError("controls", f"{annotator.label} needs {needs} in {folder}; {SOURCE}.")
    import controlnet_aux

    detector = getattr(controlnet_aux, annotator.detector).from_pretrained(str(folder))
    if hasattr(detector, "to"):
        detector = detector.to(context.device)
    side = min(image.size)
    made = detector(image, detect_resolution=side, image_resolution=side, **annotator.options)
    return made.convert("RGB").resize(image.size)


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

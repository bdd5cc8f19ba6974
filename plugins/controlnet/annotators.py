"""The preprocessors that need weights: controlnet_aux's detectors, imported when one runs."""

from dataclasses import dataclass, field
from pickle import UnpicklingError

from toolkit.plugins.api import Number, RequestError, Toggle

SOURCE = "the repository “lllyasviel/Annotators” has them"
ALREADY = "For a picture that is a control picture already, choose “Nothing” (none) instead."


@dataclass(frozen=True)
class Annotator:
    """A detector of controlnet_aux, the files of weights that it opens, its own options, and what is always said."""

    label: str
    detector: str
    files: tuple[str, ...]
    params: tuple = ()
    always: dict = field(default_factory=dict)


SCRIBBLE = Toggle("scribble", "As a scribble", help="Thins the edges to lines as of a pen.")
SAFE = Toggle("safe", "In few steps of grey", help="Keeps faint edges from giving the picture away.")

ANNOTATORS = {
    "hed": Annotator("Soft edges (HED)", "HEDdetector", ("ControlNetHED.pth",), (SCRIBBLE, SAFE)),
    "pidinet": Annotator("Soft edges (PiDiNet)", "PidiNetDetector", ("table5_pidinet.pth",), (SCRIBBLE, SAFE)),
    "mlsd": Annotator(
        "Straight lines (MLSD)", "MLSDdetector", ("mlsd_large_512_fp32.pth",),
        (Number("thr_v", "Weakest line", 0.1, 0.01, 2), Number("thr_d", "Shortest line", 0.1, 0.01, 20)),
    ),
    "lineart": Annotator(
        "Line art", "LineartDetector", ("sk_model.pth", "sk_model2.pth"), (Toggle("coarse", "Coarse"),)
    ),
    "lineart_anime": Annotator("Line art (anime)", "LineartAnimeDetector", ("netG.pth",)),
    "normal": Annotator("Surfaces (BAE)", "NormalBaeDetector", ("scannet.pt",)),
    "depth": Annotator(
        "Depth (MiDaS)", "MidasDetector", ("dpt_hybrid-midas-501f0c75.pt",),
        (Number("bg_th", "What counts as background", 0.1, 0, 1),), {"output_type": "pil"},
    ),
    "depth_zoe": Annotator("Depth (Zoe)", "ZoeDetector", ("ZoeD_M12_N.pt",), always={"output_type": "pil"}),
    "openpose": Annotator(
        "Pose", "OpenposeDetector", ("body_pose_model.pth", "hand_pose_model.pth", "facenet.pth"),
        (Toggle("include_body", "Body", True), Toggle("include_hand", "Hands"), Toggle("include_face", "Face")),
    ),
}  # fmt: skip


def annotate(name, image, options, context):
    """The control picture that a detector makes of `image`, at the same size."""
    annotator = ANNOTATORS[name]
    folder = context.models / "annotators"
    missing = [file for file in annotator.files if not (folder / file).is_file()]
    if missing:
        needs = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        sentence = f"{annotator.label} needs {needs} in models/annotators: {SOURCE}. {ALREADY}"
        raise RequestError("controls", sentence)
    import controlnet_aux
    import torch

    try:
        # torch reads weights alone from these files and refuses programs hidden in them.
        detector = getattr(controlnet_aux, annotator.detector).from_pretrained(str(folder))
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, UnpicklingError) as error:
        files = " or ".join(annotator.files)
        sentence = f"{files} in models/annotators can't be read: copy it again, {SOURCE}."
        raise RequestError("controls", sentence) from error
    if hasattr(detector, "to"):
        detector = detector.to(context.device)
    own = {param.name: options[param.name] for param in annotator.params}
    side = min(image.size)
    with torch.no_grad():
        made = detector(image, detect_resolution=side, image_resolution=side, **own, **annotator.always)
    return made.convert("RGB").resize(image.size)

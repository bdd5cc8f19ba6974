"""The ground found by a semantic segmentation model of transformers, from a folder in `models/segmentation`."""

from toolkit.plugins.api import RequestError

GROUNDS = ("background", "ground", "bg")
# A class that holds so much of the border is ground where the model has no class of that name.
BORDER_SHARE = 0.2
FILES = "config.json, preprocessor_config.json and model.safetensors"


def folders(models):
    """The models that are there: folders with a configuration of transformers."""
    return sorted(path.parent for path in (models / "segmentation").glob("*/config.json"))


def cut_by_model(image, name, context):
    """The picture with the model's certainty that a pixel is no ground as its alpha."""
    alpha = _certainty(image.convert("RGB"), folder_of(name, context.models), context.device)
    done = image.convert("RGB")
    done.putalpha(alpha)
    return done


def folder_of(name, models):
    """The folder that is asked for, or the only one there is."""
    there = folders(models)
    for folder in there:
        if folder.name == name or (not name and len(there) == 1):
            return folder
    place = models / "segmentation"
    if not there:
        said = f"Cutting by a model needs one: put a semantic segmentation model of transformers ({FILES}), SegFormer"
        raise RequestError("finish.cutout.model", f"{said} or MobileViT say, into a folder of {place}.")
    names = ", ".join(folder.name for folder in there)
    raise RequestError("finish.cutout.model", f"There is no model “{name}” in {place}; there are {names}.")


def _certainty(image, folder, device):
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

    try:
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSemanticSegmentation.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise RequestError("finish.cutout.model", f"{folder.name} is no model for semantic segmentation: {why}")
    with torch.inference_mode():
        inputs = processor(images=image, return_tensors="pt").to(device)
        logits = model.to(device).eval()(**inputs).logits.float()
        chances = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)
        thing = chances[0].sum(dim=0) - chances[0, _grounds(chances[0], model.config.id2label)].sum(dim=0)
        size = (image.height, image.width)
        whole = torch.nn.functional.interpolate(thing[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    return Image.fromarray((whole.clamp(0, 1) * 255).round().byte().cpu().numpy())


def _grounds(chances, labels):
    """The classes that are ground: those called so, else those along the border; none for a model of one class."""
    import torch

    if len(chances) == 1:
        return []
    named = [number for number, label in labels.items() if str(label).strip().lower() in GROUNDS]
    if named:
        return named
    best = chances.argmax(dim=0)
    edge = torch.cat([best[0], best[-1], best[:, 0], best[:, -1]])
    shares = torch.bincount(edge, minlength=len(chances)) / len(edge)
    return [number for number in range(len(chances)) if shares[number] >= BORDER_SHARE]

"""A picture through a model in overlapping tiles, faded into each other so that no seam can be seen."""

import zipfile

from toolkit.plugins.api import RequestError

OVERLAP = 16


def load(path, device):
    """The model in `path` as spandrel knows it; raises what spandrel raises for files it doesn't."""
    import spandrel

    if _is_torchscript(path):
        raise RequestError(
            "finish.upscale.file",
            f"{path.name} is a TorchScript program, not weights alone, and isn't opened; use its .safetensors file.",
        )
    model = spandrel.ModelLoader(device=device).load_from_file(path)
    if not isinstance(model, spandrel.ImageModelDescriptor) or model.input_channels != 3:
        raise ValueError(f"{path.name} is a {model.architecture.name}, which doesn't enlarge colour pictures")
    return model.eval()


def _is_torchscript(path):
    """torch tells by this entry, whatever the file is called, and would run what the archive holds."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.rpartition("/")[2] == "constants.pkl" for name in archive.namelist())


def upscale(model, image, tile, context):
    """The picture at the model's own factor."""
    import numpy as np
    import torch
    from PIL import Image

    whole = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    _, _, height, width = whole.shape
    scale = model.scale
    result = torch.zeros(3, height * scale, width * scale)
    weights = torch.zeros(1, height * scale, width * scale)
    places = [(y, x) for y in _starts(height, tile) for x in _starts(width, tile)]
    for number, (y, x) in enumerate(places):
        context.checkpoint()
        context.progress(number, len(places))
        part = whole[:, :, y : y + tile, x : x + tile].to(model.device, model.dtype)
        with torch.no_grad():
            large = model(part)[0].float().cpu().clamp(0, 1)
        fade = _fade(large.shape[1], scale)[:, None] * _fade(large.shape[2], scale)[None, :]
        top, left = y * scale, x * scale
        result[:, top : top + large.shape[1], left : left + large.shape[2]] += large * fade
        weights[:, top : top + large.shape[1], left : left + large.shape[2]] += fade
    pixels = (result / weights * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def _starts(length, tile):
    """Where tiles begin, so that neighbours share at least 2 × OVERLAP pixels and the last one ends at the edge."""
    step = max(1, tile - 2 * OVERLAP)
    return sorted({min(at, max(0, length - tile)) for at in range(0, max(1, length - 2 * OVERLAP), step)})


def _fade(length, scale):
    """Weights that rise over the overlap and fall again; never 0, so that edges of the picture count."""
    import torch

    ramp = (torch.arange(length) + 1.0) / (2 * OVERLAP * scale)
    return torch.minimum(ramp, ramp.flip(0)).clamp(max=1.0)

"""A picture through a model in overlapping tiles, faded into each other so that no seam can be seen."""

import zipfile
from pickle import UnpicklingError

from toolkit.plugins.api import RequestError

OVERLAP = 16


def load(path, device):
    """The model in `path` as spandrel knows it; raises RequestError for a file that is none, or a damaged one."""
    import spandrel
    from safetensors import SafetensorError

    if _is_torchscript(path):
        raise RequestError(
            "finish.upscale.file",
            f"{path.name} is a TorchScript program, not weights alone, and isn't opened; use its .safetensors file.",
        )
    try:
        model = spandrel.ModelLoader(device=device).load_from_file(path)
    except spandrel.UnsupportedModelError as error:
        sentence = f"{path.name} is of no architecture that can be recognised: use another model."
        raise RequestError("finish.upscale.file", sentence) from error
    except (OSError, EOFError, ValueError, RuntimeError, KeyError, UnpicklingError, SafetensorError) as error:
        sentence = f"{path.name} can't be read ({type(error).__name__}): copy the file again."
        raise RequestError("finish.upscale.file", sentence) from error
    if not isinstance(model, spandrel.ImageModelDescriptor) or model.input_channels != 3:
        what = f"{path.name} is a {model.architecture.name}, which doesn't enlarge colour pictures"
        raise RequestError("finish.upscale.file", f"{what}: use another model.")
    return model.eval()


def grown(model, image, needed, tile, context):
    """The picture after as many passes as make it `needed` times as large or larger."""
    while needed > 1.02:  # what is left below that, Lanczos does as well
        image = upscale(model, image, tile, context)
        if model.scale == 1:
            break
        needed /= model.scale
    return image


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

    whole = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    _, _, height, width = whole.shape
    scale, rows, columns = model.scale, _starts(height, tile), _starts(width, tile)
    result = torch.empty(height * scale, width * scale, 3, dtype=torch.uint8)
    # Only one row of tiles is held in full precision: its colours times their weights, and the weights.
    sums = torch.zeros(4, min(tile, height) * scale, width * scale)
    for row, y in enumerate(rows):
        for column, x in enumerate(columns):
            context.checkpoint()
            context.progress(row * len(columns) + column, len(rows) * len(columns))
            part = whole[:, :, y : y + tile, x : x + tile].to(model.device, model.dtype) / 255
            with torch.no_grad():
                large = model(part)[0].float().cpu().clamp(0, 1)
            fade = _fade(large.shape[1], scale)[:, None] * _fade(large.shape[2], scale)[None, :]
            place = sums[:, :, x * scale : x * scale + large.shape[2]]
            place[:3] += large * fade
            place[3] += fade
        done = (rows[row + 1] - y) * scale if row + 1 < len(rows) else sums.shape[1]
        pixels = (sums[:3, :done] / sums[3, :done]).mul_(255).round_().to(torch.uint8)
        result[y * scale : y * scale + done] = pixels.permute(1, 2, 0)
        sums = torch.cat([sums[:, done:], torch.zeros(4, done, width * scale)], dim=1)
    return Image.fromarray(result.numpy())


def _starts(length, tile):
    """Where tiles begin, so that neighbours share at least 2 × OVERLAP pixels and the last one ends at the edge."""
    step = max(1, tile - 2 * OVERLAP)
    return sorted({min(at, max(0, length - tile)) for at in range(0, max(1, length - 2 * OVERLAP), step)})


def _fade(length, scale):
    """Weights that rise over the overlap and fall again; never 0, so that edges of the picture count."""
    import torch

    ramp = (torch.arange(length) + 1.0) / (2 * OVERLAP * scale)
    return torch.minimum(ramp, ramp.flip(0)).clamp(max=1.0)

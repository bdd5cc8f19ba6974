"""Single-file checkpoints: their family and the shape of every component, told from the header alone.

The names of tensors say which family a file is, their shapes how wide it is; what no shape can say (the activation,
the number of attention heads) is in the family's configurations in `models/families/`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from toolkit.errors import ModelError
from toolkit.families import FAMILIES, FOLDER, Family, TextEncoder
from toolkit.headers import Header, Shape
from toolkit.kinds import other_family
from toolkit.weights import read_json, short

UNET = "model.diffusion_model."
VAES = ("first_stage_model.", "vae.")
# Empty tensors by which files say that they predict velocity, and are trained down to no signal.
MARKS = ("v_pred", "ztsnr")
_CONV_IN = f"{UNET}input_blocks.0.0.weight"
_GUIDANCE = ("time_embed.cond_proj.weight", "time_embedding.cond_proj.weight")
_LAYER = re.compile(r"\.(?:resblocks|encoder\.layers)\.(\d+)\.")


def checkpoint_family(path: Path, header: Header) -> Family:
    """The family of a checkpoint; raise ModelError for a file that is none, or of a family that isn't known."""
    first = header.shape(_CONV_IN)
    if first is None:
        title = other_family(header)
        what = f"is made for {title}" if title else f"is no checkpoint (it holds {header.first} and so on)"
        raise ModelError(f"{short(path)} {what}; this studio draws with Stable Diffusion 1, 2 and SDXL.")
    name = _by_text_encoder(header)
    if name is None:
        raise ModelError(f"{short(path)} holds a denoiser without its text encoder. Get the model's full file.")
    if header.has("edm_mean"):
        raise ModelError(f"{short(path)} is Playground 2.5, whose noise differs from SDXL's; take an SDXL model.")
    channels = first[1]
    family = FAMILIES.get(f"{name}-inpaint" if channels == 9 else name)
    if family is None or family.channels != channels:
        raise ModelError(f"{short(path)} takes {channels} channels; this studio draws with models that take 4 or 9.")
    return family


def guidance_layer(header: Header) -> str | None:
    """The name of the layer by which a distilled denoiser is told the guidance; None in those that aren't told."""
    return next((f"{UNET}{name}" for name in _GUIDANCE if header.has(f"{UNET}{name}")), None)


def vae_prefix(header: Header) -> str | None:
    """How a file's autoencoder tensors begin ("" in a file that is only an autoencoder), None without any."""
    return next((one for one in (*VAES, "") if header.has(f"{one}decoder.conv_in.weight")), None)


def component_config(path: Path, header: Header, family: Family, component: str) -> dict[str, Any]:
    """The configuration of a component with the widths that the file's tensors have."""
    usual = read_json(FOLDER / family.folder / component / "config.json")
    try:
        if component == "unet":
            return {**usual, **_unet(header, usual)}
        if component == "vae":
            return {**usual, **_vae(header, usual)}
        return {**usual, **_text(header, next(one for one in family.text_encoders if one.component == component))}
    except (KeyError, IndexError) as error:
        lacking = f"{short(path)} lacks {error.args[0]}, which {family.title} has"
        raise ModelError(f"{lacking}. Get the model's full file.") from error


def _by_text_encoder(header: Header) -> str | None:
    """The family without its number of channels; only the text encoders of the families differ in name."""
    for name in ("sdxl", "sdxl-refiner", "sd2", "sd1"):
        prefixes = [encoder.prefix for encoder in FAMILIES[name].text_encoders]
        if all(map(header.begins, prefixes)):
            return name
    return None


def _unet(header: Header, usual: Mapping[str, Any]) -> dict[str, Any]:
    shapes = header.shapes
    per_level = usual["layers_per_block"] + 1
    widths = [
        shapes[f"{UNET}input_blocks.{1 + per_level * level}.0.in_layers.2.weight"][0]
        for level in range(len(usual["block_out_channels"]))
    ]
    found: dict[str, Any] = {"block_out_channels": widths, "in_channels": shapes[_CONV_IN][1]}
    found["cross_attention_dim"] = _ending(shapes, "attn2.to_k.weight")[1]
    guided = guidance_layer(header)
    if guided is not None:
        found["time_cond_proj_dim"] = shapes[guided][1]
    if isinstance(usual["attention_head_dim"], list):  # heads of 64 channels, as many as the width holds
        found["attention_head_dim"] = [max(1, width // 64) for width in widths]
    if "projection_class_embeddings_input_dim" in usual:
        found["projection_class_embeddings_input_dim"] = shapes[f"{UNET}label_emb.0.0.weight"][1]
    return found


def _vae(header: Header, usual: Mapping[str, Any]) -> dict[str, Any]:
    prefix = vae_prefix(header)
    shapes = header.shapes
    latent = shapes[f"{prefix or ''}decoder.conv_in.weight"][1]
    levels = range(len(usual["block_out_channels"]))
    native = f"{prefix}encoder.down_blocks.0.resnets.0.conv1.weight" in shapes
    name = "encoder.down_blocks.{}.resnets.0.conv1.weight" if native else "encoder.down.{}.block.0.conv1.weight"
    return {
        "block_out_channels": [shapes[f"{prefix}{name.format(level)}"][0] for level in levels],
        "latent_channels": latent,
    }


def _text(header: Header, encoder: TextEncoder) -> dict[str, Any]:
    names = {name.removeprefix(encoder.prefix).removeprefix("text_model."): shape for name, shape in
             header.shapes.items() if name.startswith(encoder.prefix)}  # fmt: skip
    layers = 1 + max(int(found[1]) for name in names if (found := _LAYER.search(f".{name}")))
    if encoder.open_clip:
        width, words = names["positional_embedding"][1], names["token_embedding.weight"][0]
        inner = names["transformer.resblocks.0.mlp.c_fc.weight"][0]
    else:
        width, words = names["embeddings.position_embedding.weight"][1], names["embeddings.token_embedding.weight"][0]
        inner = names["encoder.layers.0.mlp.fc1.weight"][0]
    found: dict[str, Any] = {"hidden_size": width, "intermediate_size": inner, "vocab_size": words}
    found["num_attention_heads"] = max(1, width // 64)
    # Stable Diffusion 2 was trained on the layer before the last and has no use for the last one.
    found["num_hidden_layers"] = layers - (encoder.open_clip and not encoder.projection)
    found["projection_dim"] = names["text_projection"][1] if encoder.projection else width
    return found


def _ending(shapes: Mapping[str, Shape], end: str) -> Shape:
    for name, shape in shapes.items():
        if name.startswith(UNET) and name.endswith(end):
            return shape
    raise KeyError(f"{UNET}*{end}")


def scheduler_config(family: Family, marks: Collection[str], prediction: str | None) -> dict[str, Any]:
    """The noise that a checkpoint was trained on: its family's, with what the file says of itself.

    `marks` are those of `MARKS` that the file has. The levels of a file that is trained down to no signal end at a last
    ᾱ of 1e-4, because several samplers divide by it.
    """
    usual = read_json(FOLDER / family.folder / "scheduler" / "scheduler_config.json")
    said = "v_prediction" if "v_pred" in marks else prediction or family.prediction
    if "ztsnr" not in marks:
        return {**usual, "prediction_type": said}
    betas = rescaled_betas(usual["beta_start"], usual["beta_end"], usual["num_train_timesteps"])
    return {**usual, "prediction_type": said, "trained_betas": betas}


def rescaled_betas(start: float, end: float, steps: int, last: float = 1e-4) -> list[float]:
    """Scaled-linear betas whose last ᾱ is `last` (Lin et al. 2023, algorithm 1)."""
    low, high = math.sqrt(start), math.sqrt(end)
    betas = [(low + (high - low) * step / (steps - 1)) ** 2 for step in range(steps)]
    roots, product = [], 1.0
    for beta in betas:
        product *= 1 - beta
        roots.append(math.sqrt(product))
    shift, scale = math.sqrt(last), (roots[0] - math.sqrt(last)) / (roots[0] - roots[-1])
    bars = [((root - roots[-1]) * scale + shift) ** 2 for root in roots]
    return [1 - bar / before for bar, before in zip(bars, [1.0, *bars[:-1]], strict=True)]

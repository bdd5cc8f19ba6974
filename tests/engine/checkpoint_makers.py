"""Single-file checkpoints with random weights under the original names, of any family and width.

The names are those of the models' first implementations (CompVis' and Stability AI's), written down from their
structure and not by way of diffusers' conversion, which is what the tests are about.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Width:
    """How wide each part is. `depths` are transformer layers by level, 0 without attention; `middle` in the middle."""

    unet: tuple[int, ...]
    depths: tuple[int, ...]
    middle: int
    vae: tuple[int, ...]
    clip: int = 0
    open_clip: int = 0
    inner: int = 4
    open_layers: int = 24
    linear: bool = True
    added: int = 0
    channels: int = 4

    @property
    def context(self) -> int:
        return self.clip + self.open_clip


TINY = {
    "sd1": Width((32, 64, 64, 64), (1, 1, 1, 0), 1, (32, 32, 64, 64), clip=64, linear=False),
    "sd2": Width((64, 64, 128, 128), (1, 1, 1, 0), 1, (32, 32, 64, 64), open_clip=64),
    "sdxl": Width((64, 64, 128), (0, 2, 10), 10, (32, 32, 64, 64), clip=64, open_clip=128, open_layers=32, added=6),
    "sdxl-refiner": Width((64, 64, 128, 128), (0, 4, 4, 0), 4, (32, 32, 64, 64), open_clip=64, open_layers=32, added=5),
}
TINY |= {f"{name}-inpaint": Width(**{**vars(TINY[name]), "channels": 9}) for name in ("sd1", "sd2", "sdxl")}
SD15 = Width((320, 640, 1280, 1280), (1, 1, 1, 0), 1, (128, 256, 512, 512), clip=768, linear=False)

_TEXT_PREFIXES = {
    "sd1": ("cond_stage_model.transformer.", None),
    "sd2": (None, "cond_stage_model.model."),
    "sdxl": ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
    "sdxl-refiner": (None, "conditioner.embedders.0.model."),
}


def write_checkpoint(
    path: Path, family: str, width: Width | None = None, *, metadata=None, half=False, seed=0, without=(), more=()
) -> Path:
    """Write a checkpoint; `without` are beginnings of names to leave out, `more` names of empty tensors to add."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    dtype = torch.float16 if half else torch.float32
    tensors = {}
    for name, shape in shapes_of(family, width or TINY[family]):
        if not name.startswith(tuple(without)):
            tensors[name] = _random(name, shape, generator).to(dtype)
    tensors |= {name: torch.zeros(0) for name in more}
    save_file(tensors, path, metadata=metadata)
    return path


def shapes_of(family: str, width: Width) -> Shapes:
    """Every tensor of a checkpoint of this family."""
    clip, open_clip = _TEXT_PREFIXES[family.removesuffix("-inpaint")]
    for name, shape in unet(width):
        yield f"model.diffusion_model.{name}", shape
    for name, shape in vae(width.vae):
        yield f"first_stage_model.{name}", shape
    if clip:
        for name, shape in clip_text(width.clip):
            yield clip + name, shape
    if open_clip:
        for name, shape in open_clip_text(width.open_clip, width.open_layers):
            yield open_clip + name, shape


def unet(width: Width) -> Shapes:
    first, time = width.unet[0], 4 * width.unet[0]
    yield from linear("time_embed.0", first, time)
    yield from linear("time_embed.2", time, time)
    if width.added:
        yield from linear("label_emb.0.0", width.added * 256 + width.open_clip, time)
        yield from linear("label_emb.0.2", time, time)
    yield from conv("input_blocks.0.0", width.channels, first)
    kept, channels, number = [first], first, 1
    for level, wide in enumerate(width.unet):
        for _ in range(2):
            yield from resnet(f"input_blocks.{number}.0", channels, wide, time)
            yield from transformer(f"input_blocks.{number}.1", wide, width, width.depths[level])
            channels, number = wide, number + 1
            kept.append(channels)
        if level < len(width.unet) - 1:
            yield from conv(f"input_blocks.{number}.0.op", channels, channels)
            kept.append(channels)
            number += 1
    yield from resnet("middle_block.0", channels, channels, time)
    yield from transformer("middle_block.1", channels, width, width.middle)
    yield from resnet("middle_block.2", channels, channels, time)
    number = 0
    for level, wide in reversed(list(enumerate(width.unet))):
        for layer in range(3):
            yield from resnet(f"output_blocks.{number}.0", channels + kept.pop(), wide, time)
            depth, channels = width.depths[level], wide
            yield from transformer(f"output_blocks.{number}.1", wide, width, depth)
            if layer == 2 and level:
                yield from conv(f"output_blocks.{number}.{2 if depth else 1}.conv", wide, wide)
            number += 1
    yield from norm("out.0", channels)
    yield from conv("out.2", channels, 4)


def resnet(name: str, before: int, after: int, time: int) -> Shapes:
    yield from norm(f"{name}.in_layers.0", before)
    yield from conv(f"{name}.in_layers.2", before, after)
    yield from linear(f"{name}.emb_layers.1", time, after)
    yield from norm(f"{name}.out_layers.0", after)
    yield from conv(f"{name}.out_layers.3", after, after)
    if before != after:
        yield from conv(f"{name}.skip_connection", before, after, 1)


def transformer(name: str, wide: int, width: Width, depth: int) -> Shapes:
    if not depth:
        return
    yield from norm(f"{name}.norm", wide)
    for side in ("proj_in", "proj_out"):
        yield from linear(f"{name}.{side}", wide, wide) if width.linear else conv(f"{name}.{side}", wide, wide, 1)
    for layer in range(depth):
        block = f"{name}.transformer_blocks.{layer}"
        for attention, context in (("attn1", wide), ("attn2", width.context)):
            yield f"{block}.{attention}.to_q.weight", (wide, wide)
            yield f"{block}.{attention}.to_k.weight", (wide, context)
            yield f"{block}.{attention}.to_v.weight", (wide, context)
            yield from linear(f"{block}.{attention}.to_out.0", wide, wide)
        yield from linear(f"{block}.ff.net.0.proj", wide, 8 * wide)
        yield from linear(f"{block}.ff.net.2", 4 * wide, wide)
        for number in (1, 2, 3):
            yield from norm(f"{block}.norm{number}", wide)


def vae(widths: tuple[int, ...]) -> Shapes:
    last = widths[-1]
    yield from conv("encoder.conv_in", 3, widths[0])
    before = widths[0]
    for level, wide in enumerate(widths):
        for layer in range(2):
            yield from vae_resnet(f"encoder.down.{level}.block.{layer}", before, wide)
            before = wide
        if level < len(widths) - 1:
            yield from conv(f"encoder.down.{level}.downsample.conv", wide, wide)
    yield from vae_middle("encoder", last)
    yield from conv("encoder.conv_out", last, 8)
    yield from conv("decoder.conv_in", 4, last)
    yield from vae_middle("decoder", last)
    for level, wide in reversed(list(enumerate(widths))):
        for layer in range(3):
            yield from vae_resnet(f"decoder.up.{level}.block.{layer}", last, wide)
            last = wide
        if level:
            yield from conv(f"decoder.up.{level}.upsample.conv", wide, wide)
    yield from norm("decoder.norm_out", last)
    yield from conv("decoder.conv_out", last, 3)
    yield from conv("quant_conv", 8, 8, 1)
    yield from conv("post_quant_conv", 4, 4, 1)


def vae_middle(side: str, wide: int) -> Shapes:
    yield from vae_resnet(f"{side}.mid.block_1", wide, wide)
    yield from norm(f"{side}.mid.attn_1.norm", wide)
    for part in ("q", "k", "v", "proj_out"):
        yield from conv(f"{side}.mid.attn_1.{part}", wide, wide, 1)
    yield from vae_resnet(f"{side}.mid.block_2", wide, wide)
    if side == "encoder":
        yield from norm("encoder.norm_out", wide)


def vae_resnet(name: str, before: int, after: int) -> Shapes:
    for number, wide in ((1, before), (2, after)):
        yield from norm(f"{name}.norm{number}", wide)
        yield from conv(f"{name}.conv{number}", wide, after)
    if before != after:
        yield from conv(f"{name}.nin_shortcut", before, after, 1)


def clip_text(wide: int, layers: int = 12) -> Shapes:
    yield "text_model.embeddings.token_embedding.weight", (49408, wide)
    yield "text_model.embeddings.position_embedding.weight", (77, wide)
    yield "text_model.embeddings.position_ids", (1, 77)
    for layer in range(layers):
        name = f"text_model.encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(f"{name}.self_attn.{part}", wide, wide)
        yield from linear(f"{name}.mlp.fc1", wide, 4 * wide)
        yield from linear(f"{name}.mlp.fc2", 4 * wide, wide)
        yield from norm(f"{name}.layer_norm1", wide)
        yield from norm(f"{name}.layer_norm2", wide)
    yield from norm("text_model.final_layer_norm", wide)


def open_clip_text(wide: int, layers: int) -> Shapes:
    yield "token_embedding.weight", (49408, wide)
    yield "positional_embedding", (77, wide)
    yield "text_projection", (wide, wide)
    yield "logit_scale", ()
    for layer in range(layers):
        name = f"transformer.resblocks.{layer}"
        yield f"{name}.attn.in_proj_weight", (3 * wide, wide)
        yield f"{name}.attn.in_proj_bias", (3 * wide,)
        yield from linear(f"{name}.attn.out_proj", wide, wide)
        yield from linear(f"{name}.mlp.c_fc", wide, 4 * wide)
        yield from linear(f"{name}.mlp.c_proj", 4 * wide, wide)
        yield from norm(f"{name}.ln_1", wide)
        yield from norm(f"{name}.ln_2", wide)
    yield from norm("ln_final", wide)


def linear(name: str, before: int, after: int) -> Shapes:
    yield f"{name}.weight", (after, before)
    yield f"{name}.bias", (after,)


def conv(name: str, before: int, after: int, size: int = 3) -> Shapes:
    yield f"{name}.weight", (after, before, size, size)
    yield f"{name}.bias", (after,)


def norm(name: str, wide: int) -> Shapes:
    yield f"{name}.weight", (wide,)
    yield f"{name}.bias", (wide,)


def _random(name: str, shape: tuple[int, ...], generator):
    """Weights of a size that keeps signals alive through the layers, norms near one."""
    import torch

    if name.endswith("position_ids"):
        return torch.arange(77)[None]
    values = torch.randn(shape, generator=generator)
    if len(shape) < 2:
        near_one = name.endswith(".weight")
        return values * 0.05 + (1.0 if near_one else 0.0)
    return values / math.sqrt(math.prod(shape[1:])) if "embedding" not in name else values * 0.02


def write_configs(folder: Path, family: str, width: Width) -> Path:
    """A folder of configurations as diffusers' own loading wants it, written out for a width."""
    from toolkit.engine.single_file import clip_tokenizer
    from toolkit.families import FAMILIES, FOLDER

    row = FAMILIES[family]
    changes = {
        "unet": {
            "block_out_channels": width.unet, "in_channels": width.channels, "cross_attention_dim": width.context,
            "attention_head_dim": [wide // 64 for wide in width.unet] if width.linear else 8,
        },
        "vae": {"block_out_channels": width.vae},
        "scheduler": {"prediction_type": row.prediction},
        "text_encoder": _text_config(width.clip or width.open_clip, 12 if width.clip else 23),
        "text_encoder_2": _text_config(width.open_clip, width.open_layers),
    }  # fmt: skip
    if width.added:
        changes["unet"]["projection_class_embeddings_input_dim"] = width.added * 256 + width.open_clip
    for component in (*row.components, "scheduler"):
        name = "scheduler_config.json" if component == "scheduler" else "config.json"
        usual = json.loads((FOLDER / row.folder / component / name).read_text())
        (folder / component).mkdir(parents=True)
        (folder / component / name).write_text(json.dumps({**usual, **changes.get(component, {})}))
    index = {"_class_name": next(iter(row.pipelines.values())), "_diffusers_version": "0.42.1"}
    index |= {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    index |= {"scheduler": ["diffusers", "DDIMScheduler"]}
    for part in ("text_encoder", "text_encoder_2"):
        index[part] = index[part.replace("text_encoder", "tokenizer")] = [None, None]
    for part in row.text_encoders:
        index[part.component] = ["transformers", part.class_name]
        index[part.tokenizer] = ["transformers", "CLIPTokenizer"]
        tokenizer = clip_tokenizer()
        tokenizer.pad_token = part.pad
        tokenizer.save_pretrained(folder / part.tokenizer)
    if row.added == "aesthetic":
        index["requires_aesthetics_score"], index["force_zeros_for_empty_prompt"] = True, False
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _text_config(wide: int, layers: int) -> dict[str, int]:
    heads = max(1, wide // 64)
    return {
        "hidden_size": wide, "intermediate_size": 4 * wide, "num_hidden_layers": layers, "num_attention_heads": heads,
        "projection_dim": wide,
    }  # fmt: skip

"""`model-index`: seconds to list 2,000 files of models for the first time, and again, by their headers.

The files have real names and shapes of tensors and are holes otherwise, so that they fill no disk. The peer opens each
with the safetensors library and asks for its names, which is the least that telling their kinds takes.
"""

from __future__ import annotations

import json
import math
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolkit.bench.measure import Result, quartiles
from toolkit.families import FAMILIES, FOLDER
from toolkit.kinds import KINDS
from toolkit.model_folders import LIST, add_folder
from toolkit.models import ModelIndex

AIM_FIRST, AIM_AGAIN = 1.0, 0.05
RUNS = 5
COUNTS = {"models/Stable-diffusion": 150, "models/Lora": 1600, "models/VAE": 50, "models/ControlNet": 100,
          "embeddings": 100}  # fmt: skip

Shapes = Mapping[str, tuple[int, ...]]


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The first list, with nothing remembered."""
    first, _, peer = _seconds(runs or RUNS)
    return _result("model-index", first, AIM_FIRST, peer)


def measure_again(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Later lists by the same index."""
    _, again, peer = _seconds(runs or RUNS)
    return _result("model-index-again", again, AIM_AGAIN, peer)


def _result(name: str, ours: list[float], aim: float, peer: list[float]) -> Result:
    return Result(
        scenario=name,
        value=statistics.median(ours),
        aim=aim,
        unit=" s",
        ours_s=statistics.median(ours),
        peer_s=statistics.median(peer),
        runs=len(ours),
        spread=quartiles(ours),
        conditions={"files": sum(COUNTS.values())},
    )


def _seconds(runs: int) -> tuple[list[float], list[float], list[float]]:
    first, again, peer = [], [], []
    with tempfile.TemporaryDirectory() as home:
        root = Path(home) / "webui"
        paths = list(_write_all(root))
        for number in range(runs):
            listed = Path(home) / f"data-{number}" / LIST
            add_folder(listed, root)
            began = time.perf_counter()
            index = ModelIndex([listed])
            found = _list_all(index)
            first.append(time.perf_counter() - began)
            if found != len(paths):
                raise RuntimeError(f"{found} of {len(paths)} files were found")
            for _ in range(5):
                began = time.perf_counter()
                _list_all(index)
                again.append(time.perf_counter() - began)
            began = time.perf_counter()
            _open_all(paths)
            peer.append(time.perf_counter() - began)
    return first, again, peer


def _list_all(index: ModelIndex) -> int:
    return len(index.list()) + sum(len(index.files(kind)) for kind in KINDS if kind != "checkpoint")


def _open_all(paths: list[Path]) -> None:
    from safetensors import safe_open

    for path in paths:
        with safe_open(path, framework="np") as file:
            list(file.keys())


def _write_all(root: Path) -> Iterator[Path]:
    kinds = {
        "models/Stable-diffusion": _checkpoint(), "models/Lora": _lora(), "models/VAE": _vae(""),
        "models/ControlNet": {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), **_attention("down_blocks")},
        "embeddings": {"emb_params": (8, 768)},
    }  # fmt: skip
    for folder, count in COUNTS.items():
        (root / folder).mkdir(parents=True)
        header, length = _header(kinds[folder])
        for number in range(count):
            path = root / folder / f"file {number:04}.safetensors"
            with path.open("wb") as file:
                file.write(header)
                file.truncate(length)
            yield path


def _header(shapes: Shapes) -> tuple[bytes, int]:
    tensors, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        tensors[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    plain = json.dumps(tensors).encode()
    return struct.pack("<Q", len(plain)) + plain, 8 + len(plain) + end


def _checkpoint() -> Shapes:
    """As many names as Stable Diffusion 1.5 has, those among them that tell its family and widths."""
    shapes: dict[str, tuple[int, ...]] = {"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3)}
    shapes |= {f"model.diffusion_model.{name}": shape for name, shape in _attention("input_blocks").items()}
    layers = json.loads((FOLDER / FAMILIES["sd1"].folder / "text_encoder" / "config.json").read_text())
    for layer in range(layers["num_hidden_layers"]):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "norm1", "norm2"):
            for end in ("weight", "bias"):
                name = f"cond_stage_model.transformer.text_model.encoder.layers.{layer}.{part}.{end}"
                shapes[name] = (768, 768)
    return {**shapes, **_vae("first_stage_model.")}


def _attention(prefix: str) -> Shapes:
    return {f"{prefix}.{block}.1.attn.{part}.weight": (320, 320) for block in range(12) for part in range(57)}


def _vae(prefix: str) -> Shapes:
    middle = {f"{prefix}decoder.up.{level}.block.{part}.weight": (512, 512) for level in range(4) for part in range(60)}
    return {f"{prefix}decoder.conv_in.weight": (512, 4, 3, 3), f"{prefix}encoder.conv_in.weight": (128, 3, 3, 3),
            **middle}  # fmt: skip


def _lora() -> Shapes:
    """A LoRA of a trainer that adapts all attention layers: three tensors for each of 264."""
    ends = {"lora_down.weight": (16, 320), "lora_up.weight": (320, 16), "alpha": ()}
    return {f"lora_unet_blocks_{layer}.{end}": shape for layer in range(264) for end, shape in ends.items()}

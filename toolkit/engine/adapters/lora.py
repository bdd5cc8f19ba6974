"""A LoRA file, read for one loaded model: which module each layer changes, refused as a whole when anything is left."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from toolkit.engine.adapters.layers import Layer
from toolkit.engine.adapters.naming import Place, grouped, is_for_text, modules_by_name
from toolkit.errors import ModelError
from toolkit.model_files import WeightsFile
from toolkit.weights import short


@dataclass(frozen=True, eq=False)
class Lora:
    """A LoRA over one model's modules: (component, module) → the layer's adapter."""

    name: str
    layers: Mapping[Place, Layer]

    @property
    def gateable(self) -> bool:
        """Whether every layer of the denoiser is low rank, so that rows of one batch can have it and others not."""
        return all(layer.low_rank() is not None for (where, _), layer in self.layers.items() if where == "unet")

    @property
    def reads(self) -> bool:
        """Whether it changes a text encoder."""
        return any(where != "unet" for where, _ in self.layers)

    @property
    def bytes(self) -> int:
        return sum(part.numel() * 4 for layer in self.layers.values() for part in layer.parts.values())


class LoraShelf:
    """The LoRAs that were read for one loaded model, the latest few kept."""

    KEPT = 16

    def __init__(self, components: Any) -> None:
        self._components = components
        self._named: dict[str, Place] | None = None
        self._kept: dict[tuple[Path, int, int], Lora] = {}
        self._lock = threading.Lock()

    def take(self, file: WeightsFile) -> Lora:
        """The LoRA of a file; raise ModelError naming the file for one that doesn't fit the model."""
        stat = file.path.stat()
        key = (file.path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._read(file)
                for old in list(self._kept)[: -self.KEPT]:
                    del self._kept[old]
            return self._kept[key]

    def _read(self, file: WeightsFile) -> Lora:
        try:
            tensors = load_file(file.path)
        except Exception as error:  # safetensors raises its own type, which is a subclass of nothing else
            raise ModelError(f"{short(file.path)} is damaged ({type(error).__name__}). Copy the file again.") from error
        layers, strange = grouped(tensors)
        if strange:
            raise ModelError(
                f"{short(file.path)} holds {strange[0]} and {len(strange) - 1} more tensors of a kind that can't be "
                "applied; LoRA, LoCon, LoHa, LoKr and DoRA can."
            )
        if self._named is None:
            self._named = modules_by_name(self._components)
        unknown = [name for name in layers if name not in self._named]
        if unknown:
            raise ModelError(self._stranger(file, unknown, len(layers)))
        return Lora(
            file.name, {self._named[name]: self._fitting(file, name, parts) for name, parts in layers.items()}
        )  # fmt: skip

    def _fitting(self, file: WeightsFile, name: str, parts: Mapping[str, torch.Tensor]) -> Layer:
        """The layer, once its change has been seen to have the shape of the module's weight."""
        layer = Layer({part: tensor.float() for part, tensor in parts.items()})
        weight = module_of(self._components, self._named[name]).weight
        # Shapes are tried without numbers: the changes of a large model's layers together are as large as the model.
        shapes = Layer({part: one if part == "alpha" else one.to("meta") for part, one in layer.parts.items()})
        try:
            shapes.delta(weight.shape)
        except (RuntimeError, ValueError) as error:
            raise ModelError(self._stranger(file, [name], 0, weight.shape)) from error
        if all(part.isfinite().all() for part in layer.parts.values()):
            return layer
        raise ModelError(f"{short(file.path)} holds numbers that are not finite in {name}: copy the file again.")

    def _stranger(self, file: WeightsFile, names: list[str], of: int, shape: Any = None) -> str:
        model = self._components.model
        base = file.facts.get("base")
        made = f"It was made for {base}. " if base else ""
        if shape is not None:
            why = f"its layer {names[0]} has another shape than {tuple(shape)}"
        else:
            part = "text encoder" if is_for_text(names[0]) else "denoiser"
            why = f"{len(names)} of its {of} layers, such as {names[0]}, are not in this model's {part}"
        return f"{short(file.path)} doesn't fit {model.title} ({model.row.title}): {why}. {made}Choose another one."


def module_of(components: Any, place: Place) -> torch.nn.Module:
    """The module that a layer changes."""
    where, path = place
    if where == "unet":
        return components.unet.get_submodule(path)
    number = 0 if where == "text_encoder" else int(where.rpartition("_")[2]) - 1
    return components.text.readers[number].encoder.get_submodule(path)

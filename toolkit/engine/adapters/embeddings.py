"""Textual inversion (Gal et al. 2022): words of one's own, each a few vectors in place of tokens.

A file holds (vectors, width) under "emb_params" (A1111), "clip_l" and "clip_g" (SDXL), or the word itself (diffusers).
A prompt names it by its file's name, also as ComfyUI does, `embedding:name`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from toolkit.errors import ModelError
from toolkit.model_files import WeightsFile
from toolkit.weights import check_weights, short

# One entry for each text encoder of the model, None where the file has nothing for it.
Vectors = tuple[torch.Tensor | None, ...]


class WordShelf:
    """The embeddings that were read for one loaded model."""

    def __init__(self, components: Any) -> None:
        self._components = components
        self._kept: dict[tuple[Path, int, int], Vectors] = {}
        self._lock = threading.Lock()

    def used(self, texts: Sequence[str], files: Sequence[WeightsFile]) -> dict[str, Vectors]:
        """The embeddings that the texts name; raise ModelError for one that doesn't fit the model."""
        return {file.name: self._take(file) for file in files if any(word_in(file.name, text) for text in texts)}

    def _take(self, file: WeightsFile) -> Vectors:
        stat = file.path.stat()
        key = (file.path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._read(file)
            return self._kept[key]

    def _read(self, file: WeightsFile) -> Vectors:
        check_weights(file.path)
        try:
            tensors = load_file(file.path)
        except Exception as error:  # safetensors raises its own type, which is a subclass of nothing else
            raise ModelError(f"{short(file.path)} is damaged ({type(error).__name__}). Copy the file again.") from error
        model = self._components.model
        widths = [reader.encoder.config.hidden_size for reader in self._components.text.readers]
        if {"clip_l", "clip_g"} & tensors.keys():
            by_width = {tensors[name].shape[-1]: tensors[name] for name in ("clip_l", "clip_g") if name in tensors}
        else:
            by_width = {tensor.shape[-1]: tensor for tensor in tensors.values()}
        found = tuple(_rows(by_width.get(width)) for width in widths)
        if all(one is None for one in found) or by_width.keys() - set(widths):
            raise ModelError(
                f"{short(file.path)} holds words of width {sorted(by_width)[0]}, and {model.title} ({model.row.title}) "
                f"reads words of width {widths[0]}: choose an embedding for its family."
            )
        return found


def word_in(name: str, text: str) -> bool:
    """Whether a text names an embedding."""
    return _pattern([name]).search(text) is not None


def split(text: str, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """The text in parts: (words, None), or ("", name) where an embedding is named."""
    if not names:
        return [(text, None)]
    own = {name.lower(): name for name in names}
    parts: list[tuple[str, str | None]] = []
    at = 0
    for found in _pattern(names).finditer(text):
        parts += [(text[at : found.start()], None), ("", own[found[1].lower()])]
        at = found.end()
    return [*parts, (text[at:], None)]


def replaced(embedded: torch.Tensor, places: Mapping[tuple[int, int], torch.Tensor]) -> torch.Tensor:
    """Token embeddings (windows, tokens, width) with vectors at their (window, token)."""
    result = embedded.clone()
    for (window, token), vector in places.items():
        result[window, token] = vector.to(result)
    return result


def _rows(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.float().reshape(-1, tensor.shape[-1])


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:embedding:)?({longest_first})(?![\w-])", re.IGNORECASE)

"""Prompts to conditioning. The engine alone calls text encoders; pipelines get embeddings."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch

from toolkit.starter.words import keep_known

_CACHED = 256


class PromptEncoder:
    """One model's tokenizer and text encoder, behind a lock, with the latest embeddings remembered.

    A text longer than the encoder's window is cut into windows, each encoded alone and set one after the other, as
    A1111 does; nothing is dropped. A model whose card lists `known_words` never sees a word it wasn't taught.
    """

    def __init__(self, tokenizer: Any, encoder: Any, card: Mapping[str, Any]) -> None:
        self._tokenizer, self._encoder, self._card = tokenizer, encoder, card
        self._window = min(int(tokenizer.model_max_length), encoder.config.max_position_embeddings)
        self._lock = threading.Lock()
        self._known: OrderedDict[str, torch.Tensor] = OrderedDict()

    def encode(self, text: str) -> torch.Tensor:
        """Embeddings (1, windows × tokens, channels) in float32."""
        if self._card.get("known_words"):
            text = keep_known(text, self._card)
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text]
            embeddings = self._run(self._windows(text))
            self._known[text] = embeddings
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
            return embeddings

    def encode_pair(self, prompt: str, negative: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings of both texts at one length.

        The windows of each are repeated up to their least common multiple: attention over a text and over the same
        text twice is the same, so the length changes nothing in the picture.
        """
        positive, unwanted = self.encode(prompt), self.encode(negative)
        length = math.lcm(positive.shape[1], unwanted.shape[1])
        return (
            positive.repeat(1, length // positive.shape[1], 1),
            unwanted.repeat(1, length // unwanted.shape[1], 1),
        )

    def _windows(self, text: str) -> torch.Tensor:
        """Token numbers (windows, tokens), each window with its own start, end and padding."""
        tokens = self._tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
        room = self._window - 2
        start, end, fill = (getattr(self._tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
        windows = []
        for first in range(0, max(len(tokens), 1), room):
            window = [start, *tokens[first : first + room], end]
            windows.append(window + [end if fill is None else fill] * (self._window - len(window)))
        return torch.tensor(windows)

    def _run(self, windows: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            states = self._encoder(windows.to(self._encoder.device))[0]
        return states.float().reshape(1, -1, states.shape[-1])

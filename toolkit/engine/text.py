"""Prompts to conditioning. The engine alone calls text encoders; pipelines get embeddings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from toolkit.engine.conditioning import Conditioning, ConditioningPair
from toolkit.families import Family
from toolkit.starter.words import keep_known

_CACHED = 256


@dataclass(frozen=True, eq=False)
class Reader:
    """One tokenizer with its text encoder; `pad` is the token that fills a window, None the tokenizer's own."""

    tokenizer: Any
    encoder: Any
    pad: int | None = None

    @property
    def window(self) -> int:
        """Tokens that the encoder reads at once, with start and end."""
        return min(int(self.tokenizer.model_max_length), self.encoder.config.max_position_embeddings)

    def windows(self, text: str) -> torch.Tensor:
        """Token numbers (windows, tokens), each window with its own start, end and padding."""
        tokens = self.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
        room = self.window - 2
        start, end, own = (getattr(self.tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
        fill = own if self.pad is None else self.pad
        windows = []
        for first in range(0, max(len(tokens), 1), room):
            window = [start, *tokens[first : first + room], end]
            windows.append(window + [end if fill is None else fill] * (self.window - len(window)))
        return torch.tensor(windows)

    def states(self, windows: torch.Tensor, layer: int, normed: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The layer's states (1, windows × tokens, channels), and the first window's pooled embedding if there is one.

        `layer` counts from the end, 1 being the last; `normed` says that its states go through the final norm.
        """
        output = self.encoder(windows.to(self.encoder.device), output_hidden_states=True)
        inner = getattr(self.encoder, "text_model", self.encoder)
        states = output.hidden_states[-min(layer, len(output.hidden_states))]
        states = inner.final_layer_norm(states) if normed else states
        pooled = output.text_embeds[:1].float() if hasattr(output, "text_embeds") else None
        return states.float().reshape(1, -1, states.shape[-1]), pooled


class PromptEncoder:
    """A model's tokenizers and text encoders, behind a lock, with the latest embeddings remembered.

    A text longer than the encoders' window is cut into windows, each encoded alone and set one after the other, as
    A1111 does; nothing is dropped. A model whose card lists `known_words` never sees a word it wasn't taught.
    """

    def __init__(self, readers: Sequence[Reader], family: Family, card: Mapping[str, Any]) -> None:
        self.readers = tuple(readers)
        self._family, self._card = family, card
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Conditioning] = OrderedDict()

    def encode(
        self, text: str, clip_skip: int | None = None, *, key: Hashable = None,
        patch: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> Conditioning:  # fmt: skip
        """The conditioning of a text.

        `clip_skip` n takes the n-th layer from the end, but none after the one the family is trained on. `patch` is
        entered around the encoders' calls, for a job that changes them; `key` then says which change it is.
        """
        if self._card.get("known_words"):
            text = keep_known(text, self._card)
        layer = max(clip_skip or 1, self._family.layer)
        known = (text, layer, key)
        with self._lock:
            if known in self._known:
                self._known.move_to_end(known)
                return self._known[known]
            with torch.no_grad(), patch():
                conditioning = self._run(text, layer)
            self._known[known] = conditioning
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
            return conditioning

    def encode_pair(
        self, prompt: str, negative: str, clip_skip: int | None = None, *, key: Hashable = None,
        patch: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> ConditioningPair:  # fmt: skip
        """The conditioning of both texts at one length."""
        positive = self.encode(prompt, clip_skip, key=key, patch=patch)
        unwanted = self.encode(negative, clip_skip, key=key, patch=patch)
        if self._family.zero_empty and not negative.strip():
            nothing = None if unwanted.pooled is None else torch.zeros_like(unwanted.pooled)
            unwanted = Conditioning(torch.zeros_like(unwanted.embeds), nothing)
        return ConditioningPair.of(positive, unwanted)

    def _run(self, text: str, layer: int) -> Conditioning:
        normed = self._family.layer == 1
        parts = [reader.states(reader.windows(text), layer, normed) for reader in self.readers]
        embeds = torch.cat([states for states, _ in parts], dim=-1)
        return Conditioning(embeds, next((pooled for _, pooled in parts if pooled is not None), None))

"""Prompts to conditioning. The engine alone calls text encoders; pipelines get embeddings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from toolkit.engine.adapters.embeddings import Vectors, replaced, split
from toolkit.engine.conditioning import Conditioning, ConditioningPair, between
from toolkit.families import Family
from toolkit.starter.words import keep_known
from toolkit.walks import take_walk

_CACHED = 256
NO_WORDS: Mapping[str, Vectors] = MappingProxyType({})

Places = dict[tuple[int, int], torch.Tensor]


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

    def windows(self, text: str, words: Mapping[str, torch.Tensor | None]) -> tuple[torch.Tensor, Places]:
        """Token numbers (windows, tokens), each window with its own start, end and padding; and vectors by place.

        `words` are the embeddings that the text may name, with vectors (count, width) in place of tokens.
        """
        tokens: list[int | torch.Tensor] = []
        for part, name in split(text, list(words)):
            if name is not None:
                tokens += [] if words[name] is None else list(words[name])
            elif part.strip() or not words:
                tokens += self.tokenizer(part, add_special_tokens=False, truncation=False, verbose=False).input_ids
        room = self.window - 2
        start, end, own = (getattr(self.tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))
        fill = own if self.pad is None else self.pad
        windows, places = [], {}
        for first in range(0, max(len(tokens), 1), room):
            window = [start]
            for token in tokens[first : first + room]:
                if isinstance(token, torch.Tensor):
                    places[len(windows), len(window)] = token
                window.append(start if isinstance(token, torch.Tensor) else token)
            window.append(end)
            windows.append(window + [end if fill is None else fill] * (self.window - len(window)))
        return torch.tensor(windows), places

    def states(
        self, windows: torch.Tensor, layer: int, normed: bool, places: Places
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The layer's states (1, windows × tokens, channels), and the first window's pooled embedding if there is one.

        `layer` counts from the end, 1 being the last; `normed` says that its states go through the final norm.
        """
        inner = getattr(self.encoder, "text_model", self.encoder)
        with self._putting(inner.embeddings.token_embedding, places):
            output = self.encoder(windows.to(self.encoder.device), output_hidden_states=True)
        states = output.hidden_states[-min(layer, len(output.hidden_states))]
        states = inner.final_layer_norm(states) if normed else states
        pooled = output.text_embeds[:1].float() if hasattr(output, "text_embeds") else None
        return states.float().reshape(1, -1, states.shape[-1]), pooled

    @staticmethod
    @contextmanager
    def _putting(embedding: torch.nn.Module, places: Places) -> Iterator[None]:
        """While it lasts, vectors stand where the tokens' own embeddings would."""
        if not places:
            yield
            return
        handle = embedding.register_forward_hook(lambda module, inputs, output: replaced(output, places))
        try:
            yield
        finally:
            handle.remove()


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
        patch: Callable[[], AbstractContextManager[Any]] = nullcontext, words: Mapping[str, Vectors] = NO_WORDS,
    ) -> Conditioning:  # fmt: skip
        """The conditioning of a text; `words` are the embeddings that it may name.

        `clip_skip` n takes the n-th layer from the end, but none after the one the family is trained on. `patch` is
        entered around the encoders' calls, for a job that changes them; `key` then says which change it is.
        """
        if self._card.get("known_words"):
            text = keep_known(text, self._card)
        layer = max(clip_skip or 1, self._family.layer)
        known = (text, layer, key, tuple(sorted((name, id(vectors)) for name, vectors in words.items())))
        with self._lock:
            if known in self._known:
                self._known.move_to_end(known)
                return self._known[known]
            with torch.no_grad(), patch():
                conditioning = self._run(text, layer, words)
            self._known[known] = conditioning
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
            return conditioning

    def encode_pair(
        self, prompt: str, negative: str, clip_skip: int | None = None, *, key: Hashable = None,
        patch: Callable[[], AbstractContextManager[Any]] = nullcontext, words: Mapping[str, Vectors] = NO_WORDS,
    ) -> ConditioningPair:  # fmt: skip
        """The conditioning of both texts at one length; a prompt on a walk lies between its two."""
        prompt, other, part = take_walk(prompt)
        positive = self.encode(prompt, clip_skip, key=key, patch=patch, words=words)
        if other is not None:
            positive = between(positive, self.encode(other, clip_skip, key=key, patch=patch, words=words), part)
        unwanted = self.encode(negative, clip_skip, key=key, patch=patch, words=words)
        if self._family.zero_empty and not negative.strip():
            nothing = None if unwanted.pooled is None else torch.zeros_like(unwanted.pooled)
            unwanted = Conditioning(torch.zeros_like(unwanted.embeds), nothing)
        return ConditioningPair.of(positive, unwanted)

    def _run(self, text: str, layer: int, words: Mapping[str, Vectors]) -> Conditioning:
        normed = self._family.layer == 1
        parts = []
        for number, reader in enumerate(self.readers):
            windows, places = reader.windows(text, {name: vectors[number] for name, vectors in words.items()})
            parts.append(reader.states(windows, layer, normed, places))
        embeds = torch.cat([states for states, _ in parts], dim=-1)
        return Conditioning(embeds, next((pooled for _, pooled in parts if pooled is not None), None))

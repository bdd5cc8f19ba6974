"""The starter's text encoder: a small CLIPTextModel taught on captions alone what each word of a scene says.

Linear heads read the end token and the padding after it (everything) and each noun (its own colour and kind), so the
denoiser meets embeddings that already carry which colour belongs to which thing. The heads are then thrown away.
"""

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from toolkit.starter.captions import caption, noun_index
from toolkit.starter.stage import Budget
from toolkit.starter.vocabulary import LENGTH, build_tokenizer
from toolkit.starter.world import BACKGROUNDS, COLOURS, GROUNDS, PLACES, SIZES, STYLES, THINGS, sample_scene

WIDTH = 128
CHOICES = {
    "background": ("unsaid", *COLOURS),
    "kind": BACKGROUNDS,
    "ground": ("none", *GROUNDS),
    "style": STYLES,
    "thing0": THINGS,
    "colour0": ("unsaid", *COLOURS),
    "thing1": ("none", *THINGS),
    "colour1": ("none", "unsaid", *COLOURS),
    "place": ("none", *PLACES, *SIZES),
}


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder for this tokenizer. About 0.5 M parameters, 32 tokens of 128 numbers out."""
    torch.manual_seed(0)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=LENGTH, projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


def token_ids(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Padded token ids (n, 32)."""
    return tokenizer(captions, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids


class _Heads(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.whole = torch.nn.ModuleDict({slot: torch.nn.Linear(WIDTH, len(names)) for slot, names in CHOICES.items()})
        self.kind = torch.nn.Linear(WIDTH, len(THINGS))
        self.colour = torch.nn.Linear(WIDTH, len(COLOURS) + 1)
        self.order = torch.nn.Linear(WIDTH, 2)


def _batch(tokenizer: CLIPTokenizer, rng: random.Random, count: int):
    """Ids, the slot labels, the last word's position, and for each noun (row, position, kind, colour, order)."""
    texts, labels, ends, nouns = [], {slot: [] for slot in CHOICES}, [], []
    for row in range(count):
        text, said = caption(sample_scene(rng), rng)
        texts.append(text)
        for slot, names in CHOICES.items():
            labels[slot].append(names.index(said[slot]))
        words = text.replace(",", " ,").split()
        ends.append(len(words) + 1)
        for order, place in enumerate(noun_index(words)):
            kind, colour = THINGS.index(said[f"thing{order}"]), CHOICES["colour0"].index(said[f"colour{order}"])
            nouns.append((row, place + 1, kind, colour, order))
    labels = {slot: torch.tensor(found) for slot, found in labels.items()}
    return token_ids(tokenizer, texts), labels, torch.tensor(ends), torch.tensor(nouns)


def _loss(heads: _Heads, hidden: torch.Tensor, labels: dict, ends: torch.Tensor, nouns: torch.Tensor):
    """The loss, and the share of captions of which every slot is read rightly from the end token."""
    rows, loss, right = torch.arange(len(hidden)), 0.0, torch.ones(len(hidden), dtype=torch.bool)
    later = ends + (torch.rand(len(ends)) * (LENGTH - ends)).long()
    for slot, head in heads.whole.items():
        answer = head(hidden[rows, ends])
        right &= answer.argmax(-1) == labels[slot]
        loss = loss + F.cross_entropy(answer, labels[slot]) + F.cross_entropy(head(hidden[rows, later]), labels[slot])
    row, place, kind, colour, order = nouns.T
    own = hidden[row, place]
    loss = loss + F.cross_entropy(heads.kind(own), kind) + F.cross_entropy(heads.colour(own), colour)
    return loss + F.cross_entropy(heads.order(own), order), right.float().mean()


def train_text_encoder(work: Path, minutes: float, batch: int = 128) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """Trains for `minutes` (two suffice on two cores) and leaves tokenizer and encoder in `work`. Runs on the CPU."""
    tokenizer = build_tokenizer(work / "tokenizer")
    encoder, heads, rng = build_text_encoder(tokenizer), _Heads(), random.Random(1)
    parameters = [*encoder.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, 1e-3, betas=(0.9, 0.98), fused=True)
    budget = Budget(minutes * 60, "text")
    while budget.tick():
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(2e-3, warm_up=100)
        ids, labels, ends, nouns = _batch(tokenizer, rng, batch)
        hidden = encoder(ids).last_hidden_state
        loss, right = _loss(heads, hidden, labels, ends, nouns)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        budget.show(f"loss {loss.item():.3f}, {right:.0%} captions wholly understood, spread {hidden.std():.2f}")
    encoder.save_pretrained(work / "text_encoder")
    return tokenizer, encoder

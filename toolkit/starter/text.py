"""The starter's text encoder: a small CLIPTextModel taught on captions alone what each word of a scene says.

Linear heads read the end token and the padding after it (everything) and each noun (its own colour and kind), so the
denoiser meets embeddings that already carry which colour belongs to which thing. The heads are then thrown away.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from toolkit.starter.captions import noun_index
from toolkit.starter.families import CHOICES, FAMILIES, choose_family, say
from toolkit.starter.stage import Budget, save_folder
from toolkit.starter.vocabulary import LENGTH, build_tokenizer

WIDTH = 128
# How much staying near an earlier encoder counts against reading the new words.
ANCHOR = 30.0


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
        self.kind = torch.nn.Linear(WIDTH, len(CHOICES["thing0"]))
        self.colour = torch.nn.Linear(WIDTH, len(CHOICES["colour0"]))
        self.order = torch.nn.Linear(WIDTH, 2)


@dataclass
class _Batch:
    """Captions with what they say: their texts and families, ids (n, 32), the labels of each slot, the last word's
    position, and for each noun (row, position, kind, colour, order)."""

    texts: list[str]
    families: list[str]
    ids: torch.Tensor
    labels: dict[str, torch.Tensor]
    ends: torch.Tensor
    nouns: torch.Tensor


def _batch(tokenizer: CLIPTokenizer, rng: random.Random, count: int) -> _Batch:
    texts, families, labels, ends, nouns = [], [], {slot: [] for slot in CHOICES}, [], []
    for row in range(count):
        family = choose_family(rng)
        text, said = say(family, FAMILIES[family].sample(rng), rng)
        texts.append(text)
        families.append(family)
        for slot, names in CHOICES.items():
            labels[slot].append(names.index(said[slot]))
        words = text.replace(",", " ,").split()
        ends.append(len(words) + 1)
        for order, place in enumerate(noun_index(words)):
            kind, colour = (CHOICES[f"{slot}0"].index(said[f"{slot}{order}"]) for slot in ("thing", "colour"))
            nouns.append((row, place + 1, kind, colour, order))
    found = {slot: torch.tensor(values) for slot, values in labels.items()}
    return _Batch(texts, families, token_ids(tokenizer, texts), found, torch.tensor(ends), torch.tensor(nouns))


def _loss(heads: _Heads, hidden: torch.Tensor, batch: _Batch):
    """The loss, and the share of captions of which every slot is read rightly from the end token."""
    rows, loss, right = torch.arange(len(hidden)), 0.0, torch.ones(len(hidden), dtype=torch.bool)
    labels, ends = batch.labels, batch.ends
    later = ends + (torch.rand(len(ends)) * (LENGTH - ends)).long()
    for slot, head in heads.whole.items():
        answer = head(hidden[rows, ends])
        right &= answer.argmax(-1) == labels[slot]
        loss = loss + F.cross_entropy(answer, labels[slot]) + F.cross_entropy(head(hidden[rows, later]), labels[slot])
    row, place, kind, colour, order = batch.nouns.T
    own = hidden[row, place]
    loss = loss + F.cross_entropy(heads.kind(own), kind) + F.cross_entropy(heads.colour(own), colour)
    return loss + F.cross_entropy(heads.order(own), order), right.float().mean()


class _Anchor:
    """An earlier encoder: what it makes of captions of things is to stay, for all that was trained on it."""

    def __init__(self, folder: Path):
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").eval().requires_grad_(False)

    def begin(self, tokenizer: CLIPTokenizer, encoder: CLIPTextModel) -> None:
        """Copies the earlier weights into `encoder`, each word's embedding to where the word now is."""
        old, new = self.encoder.state_dict(), encoder.state_dict()
        words = self.tokenizer.get_vocab()
        for name, value in new.items():
            if value.shape == old[name].shape:
                value.copy_(old[name])
            else:
                for word, index in tokenizer.get_vocab().items():
                    if word in words:
                        value[index] = old[name][words[word]]
        encoder.load_state_dict(new)

    def loss(self, hidden: torch.Tensor, batch: _Batch) -> torch.Tensor:
        """How far the hidden states of captions of things have moved, as a mean square."""
        rows = [row for row, family in enumerate(batch.families) if family in ("simple", "thing")]
        meant = self.encoder(token_ids(self.tokenizer, [batch.texts[row] for row in rows])).last_hidden_state
        return F.mse_loss(hidden[rows], meant)


def train_text_encoder(
    work: Path, minutes: float, start: Path | None = None, batch: int = 128
) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """Trains for `minutes` (three suffice on two cores) and leaves tokenizer and encoder in `work`. Runs on the CPU.

    With the folder of an earlier model as `start` it goes on from there and keeps what that made of things.
    """
    tokenizer = build_tokenizer(work / "tokenizer")
    encoder, heads, rng = build_text_encoder(tokenizer), _Heads(), random.Random(1)
    anchor = _Anchor(start) if start else None
    if anchor:
        anchor.begin(tokenizer, encoder)
    parameters = [*encoder.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, 1e-3, betas=(0.9, 0.98), fused=True)
    budget = Budget(minutes * 60, "text")
    while budget.tick():
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(1e-3 if anchor else 2e-3, warm_up=100)
        captions = _batch(tokenizer, rng, batch)
        hidden = encoder(captions.ids).last_hidden_state
        loss, right = _loss(heads, hidden, captions)
        moved = anchor.loss(hidden, captions) if anchor else torch.zeros(())
        (loss + ANCHOR * moved).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        budget.show(
            f"loss {loss.item():.3f}, {right:.0%} captions wholly understood, spread {hidden.std():.2f}, "
            f"moved {moved.item():.5f}"
        )
    save_folder(encoder.save_pretrained, work / "text_encoder")
    return tokenizer, encoder

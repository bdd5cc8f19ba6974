"""Builds the CLIPTokenizer in which every word of the world is one token."""

import itertools
import json
from pathlib import Path

from transformers import CLIPTokenizer

from toolkit.starter.families import WORDS
from toolkit.starter.world import IGNORED, SYNONYMS

LENGTH = 32
START, END = "<|startoftext|>", "<|endoftext|>"


def all_words() -> list[str]:
    """Every word and punctuation mark the tokenizer keeps whole."""
    return sorted({*WORDS, *SYNONYMS, *IGNORED})


def _byte_letters() -> list[str]:
    """The printable stand-ins of the 256 bytes in GPT-2's and CLIP's byte-level alphabet."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = [chr(code) for code in printable], 0
    for code in range(256):
        if code not in printable:
            letters.append(chr(256 + extra))
            extra += 1
    return letters


def _segment(word: str, merges: list[tuple[str, str]]) -> list[str]:
    rank = {pair: index for index, pair in enumerate(merges)}
    parts = [*word[:-1], word[-1] + "</w>"]
    while True:
        pairs = [(rank[pair], i) for i, pair in enumerate(itertools.pairwise(parts)) if pair in rank]
        if not pairs:
            return parts
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def build_tokenizer(folder: Path) -> CLIPTokenizer:
    """Writes the tokenizer to `folder` and returns it. Merges are added at the end only, so no earlier word changes."""
    merges: list[tuple[str, str]] = []
    for word in all_words():
        parts = _segment(word, merges)
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts = _segment(word, merges)
    letters = _byte_letters()
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges] + [START, END]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokenizer = CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=LENGTH,
        bos_token=START, eos_token=END, unk_token=END, pad_token=END,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return tokenizer

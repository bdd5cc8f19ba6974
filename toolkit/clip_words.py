"""The vocabulary of CLIP's text encoders, from its list of merges; no model of these families brings one in its file.

`models/families/tokenizer/merges.txt` is OpenAI's `bpe_simple_vocab_16e6` (MIT licence, beside it), cut to the merges
that CLIP uses. Everything else about the tokenizer follows from it.
"""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import ModelError
from toolkit.families import FOLDER
from toolkit.weights import short

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = 49408
WINDOW = 77


def read_merges(path: Path = FOLDER / "tokenizer" / "merges.txt") -> list[tuple[str, str]]:
    """The pairs that are joined, in their order; raise ModelError when any is missing."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{short(path)} can't be read ({type(error).__name__}). Install Limner again.") from error
    pairs = [tuple(line.split()) for line in lines[1:] if line]
    if len(pairs) != WORDS - 514 or any(len(pair) != 2 for pair in pairs):
        found = f"{len(pairs)} merges and should hold {WORDS - 514}"
        raise ModelError(f"{short(path)} holds {found}. Install Limner again.")
    return pairs


def vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Every token's number: the bytes, the bytes that end a word, what the merges make, then start and end."""
    letters = [chr(number) for number in _printable_bytes()]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    return {token: number for number, token in enumerate(tokens)}


def _printable_bytes() -> list[int]:
    """A code point for each byte in CLIP's order: itself where it prints, else one from 256 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return plain + [256 + number for number in range(256 - len(plain))]

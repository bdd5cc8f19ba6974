"""Which words of a prompt the starter model knows, read from its card. Imports no torch, so a page may use it."""

import re
from collections.abc import Mapping
from typing import Any

# The number of a weight such as (cat:1.2) is the studio's syntax, not a word.
_WORD = re.compile(r":\s*\d*\.?\d+|(?P<word>[^\W_]+(?:['’-][^\W_]+)*)")


def _singular(word: str) -> list[str]:
    """The word and what it may be the plural of, likeliest first."""
    forms = [word]
    if word.endswith("ies") and len(word) > 4:
        forms.append(word[:-3] + "y")
    if word.endswith("es") and len(word) > 3:
        forms.append(word[:-2])
    if word.endswith("s") and not word.endswith("ss"):
        forms.append(word[:-1])
    return forms


def _known_form(word: str, card: Mapping[str, Any]) -> str | None:
    """The word the model was taught for `word`: itself, its singular or what it is a synonym of; None when unknown."""
    known, synonyms = card["known_words"], card.get("synonyms", {})
    for form in _singular(word.lower()):
        if form in synonyms:
            return synonyms[form]
        if form in known:
            return form
    return None


def _spans(prompt: str):
    """Each word of the prompt with its place; a hyphenated word counts as its parts ("red-and-blue")."""
    for match in _WORD.finditer(prompt):
        start = match.start()
        for part in match["word"].split("-") if match["word"] else ():
            yield part, start, start + len(part)
            start += len(part) + 1


def unknown_words(prompt: str, card: Mapping[str, Any]) -> list[str]:
    """The words that change nothing with this model, lower-case, each once, in order; but for articles and the like."""
    ignored = set(card.get("ignored_words", ()))
    found: dict[str, None] = {}
    for word, _, _ in _spans(prompt):
        if word.lower() not in ignored and _known_form(word, card) is None:
            found[word.lower()] = None
    return list(found)


def keep_known(prompt: str, card: Mapping[str, Any]) -> str:
    """The prompt with unknown words left out, synonyms and plurals replaced by the word the model was taught.

    Weights such as (cat:1.2) stay around the words they weigh; brackets left empty and doubled commas go.
    """
    ignored = set(card.get("ignored_words", ()))
    kept, end = [], 0
    for word, start, stop in _spans(prompt):
        kept.append(prompt[end:start])
        known = _known_form(word, card)
        kept.append(known or (word.lower() if word.lower() in ignored else ""))
        end = stop
    return _tidy("".join(kept) + prompt[end:])


def _tidy(text: str) -> str:
    previous = None
    while previous != text:
        previous = text
        text = re.sub(r"[(\[{][\s,]*(?::\s*[\d.]*)?\s*[)\]}][+-]*", "", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,:)\]}])", r"\1", re.sub(r"([(\[{])\s+", r"\1", text))
    text = re.sub(r"(?:[,.;!?]\s*)+(?=,)", "", text)
    return text.strip(" ,;.!?-")

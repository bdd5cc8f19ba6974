"""The words that a model's card names, in groups to choose from: nobody has to guess what a small one draws."""

from __future__ import annotations

from typing import Any

# How a group of the card is called, and how one of its words stands in a prompt.
GROUPS = {
    "things": ("Things", "{}"),
    "colours": ("Colours", "{}"),
    "palettes": ("Palettes", "in {} colours"),
    "backgrounds": ("Backgrounds", "{} background"),
    "grounds": ("Grounds", "on {} ground"),
    "styles": ("Styles", "{} style"),
    "places": ("Where a thing stands", "{}"),
    "sizes": ("How large it is", "{}"),
}
FAMILY = "{title}s"


def vocabulary(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Groups of words as {"title", "words": [[shown, in the prompt], …], "example": None or {"prompt", "seed"}}.

    Families of pictures come first (“pattern”, “landscape”), each with the card's example of it; empty for a card that
    lists no words.
    """
    if not card.get("known_words"):
        return []
    families = card.get("families") or {}
    groups = [_family(name, parts, card) for name, parts in families.items()]
    plain = next((one for one in card.get("examples") or () if not _names(one["prompt"], families)), None)
    for key, (title, phrase) in GROUPS.items():
        words = [word for word in card.get(key) or () if not (key == "backgrounds" and word == "ground")]
        if words:
            example = plain if key == "things" else None
            pairs = [[word, phrase.format(word)] for word in words]
            groups.append({"title": title, "words": pairs, "example": example})
    # Things are what most people begin with.
    return sorted(groups, key=lambda group: group["title"] != GROUPS["things"][0])


def _family(name: str, parts: dict[str, list[str]], card: dict[str, Any]) -> dict[str, Any]:
    words = list(dict.fromkeys([name, *(word for part in parts.values() for word in part)]))
    example = next((one for one in card.get("examples") or () if _names(one["prompt"], [name])), None)
    title = FAMILY.format(title=name.capitalize())
    return {"title": title, "words": [[word, word] for word in words], "example": example}


def _names(prompt: str, words: Any) -> bool:
    return any(word in prompt.split() for word in words)

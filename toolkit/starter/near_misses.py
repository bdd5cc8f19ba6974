"""Captions that are one word away from the truth: what a prompt score has to tell apart. Imports no torch."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace

from toolkit.starter.captions import NOUNS, caption
from toolkit.starter.world import COLOURS, GROUNDS, PLACES, SIZES, STYLES, SYNONYMS, THINGS, Scene, held_out

_KINDS = ("plain", "gradient", "striped")
_COLOUR, _KIND = "|".join(COLOURS), "|".join(_KINDS)
_ORDER = re.compile(rf"\b(?:({_KIND}) ({_COLOUR})|({_COLOUR}) ({_KIND})) background")
_OTHER_NAMES = {word: [name for name, meant in SYNONYMS.items() if meant == word] for word in SYNONYMS.values()}


def say(scene: Scene, rng: random.Random) -> str:
    """A caption in which the background's kind stands before or after its colour, so that order tells nothing."""
    text = caption(scene, rng)[0]
    match = _ORDER.search(text)
    if not match or rng.random() < 0.5:
        return text
    first, second = (part for part in match.groups() if part)
    return text[: match.start()] + f"{second} {first} background" + text[match.end() :]


def possible(scene: Scene) -> bool:
    """Whether the world has such a scene: nothing in the colour of what lies behind or beside it."""
    used = [scene.background, *([scene.ground] if scene.ground else []), *(thing.colour for thing in scene.things)]
    dark = scene.style == "night" and any(thing.colour == "black" for thing in scene.things)
    return len(set(used)) == len(used) and not dark


def trained(scene: Scene) -> bool:
    """Whether training may show or name the scene: no thing's combination is held out."""
    return not any(held_out(thing.kind, thing.colour, scene.background) for thing in scene.things)


def _with_thing(scene: Scene, index: int, **changes: str) -> Scene:
    things = list(scene.things)
    things[index] = replace(things[index], **changes)
    return replace(scene, things=tuple(things))


def _places(before: list[str]) -> tuple[str, ...]:
    """The places that fit what stands before: "on the left", "at the top", else any."""
    if before[-2:] == ["on", "the"]:
        return ("left", "right")
    return ("top", "bottom") if before[-2:] == ["at", "the"] else tuple(PLACES)


def _changes(words: list[str], scene: Scene, at: int, things_before: int) -> tuple[str, list[tuple[str, Scene]]]:
    """Which detail the word at a position says, and each other word for it with the scene it would mean."""
    plain = [NOUNS.get(word, word) for word in words]
    word, after = plain[at], plain[at + 1] if at + 1 < len(words) else ""
    if word in THINGS:
        return f"thing{things_before}", [(k, _with_thing(scene, things_before, kind=k)) for k in THINGS]
    if word in COLOURS and after in THINGS:
        return f"colour{things_before}", [(c, _with_thing(scene, things_before, colour=c)) for c in COLOURS]
    if word in COLOURS and after == "ground":
        return "ground", [(colour, replace(scene, ground=colour)) for colour in GROUNDS]
    if word in COLOURS:
        return "background", [(colour, replace(scene, background=colour)) for colour in COLOURS]
    if word in _KINDS and "background" in plain[at + 1 : at + 3]:
        return "kind", [(kind, replace(scene, kind=kind)) for kind in _KINDS]
    if word in STYLES and plain[at - 1] != "at":
        styles = STYLES if words[at - 1] == "," else STYLES[:-1]
        return "style", [(style, replace(scene, style=style)) for style in styles]
    if word in SIZES:
        return "size", [(size, _with_thing(scene, 0, size=size)) for size in SIZES]
    if word in PLACES:
        places = tuple(PLACES) if after == "side" else _places(plain[:at])
        return "place", [(place, _with_thing(scene, 0, place=place)) for place in places]
    return "", []


def _options(words: list[str], scene: Scene) -> Iterator[tuple[int, list[tuple[str, Scene]]]]:
    """For each word that says a detail: its position, and the possible other words with their scenes."""
    things = 0
    for at, word in enumerate(words):
        detail, found = _changes(words, scene, at, things)
        own = NOUNS.get(word, word)
        things += own in THINGS
        vowel = word[0] in "aeiou"
        article = at > 0 and words[at - 1] in ("a", "an")
        kept = [
            (new, other)
            for new, other in found
            if new != own and possible(other) and not (article and (new[0] in "aeiou") != vowel)
        ]
        if detail and kept:
            yield at, kept


def near_misses(text: str, scene: Scene, rng: random.Random, count: int, *, seen: bool = False) -> list[str]:
    """Up to `count` captions that differ from `text` in one word and are wrong for the scene, each detail in turn.

    `seen` keeps to scenes that training may name. There are more than 15 of nearly every caption.
    """
    words = text.replace(",", " ,").split()
    pools = []
    for at, options in _options(words, scene):
        names = [new for new, other in options if not seen or trained(other)]
        rng.shuffle(names)
        pools += [(at, names)] if names else []
    rng.shuffle(pools)
    found: list[str] = []
    while len(found) < count and pools:
        at, names = pools.pop(0)
        new = names.pop()
        pools += [(at, names)] if names else []
        others = [name for name in _OTHER_NAMES.get(new, ()) if (name[0] in "aeiou") == (new[0] in "aeiou")]
        if others and rng.random() < 0.1:
            new = rng.choice(others)
        found.append(" ".join([*words[:at], new, *words[at + 1 :]]).replace(" ,", ","))
    return found

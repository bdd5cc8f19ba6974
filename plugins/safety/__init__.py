"""A list of blocked words: asked before a request is queued, and again before a picture is kept."""

import re
import unicodedata

from toolkit.plugins.api import RequestError, Review, Text, hookimpl

# What no studio may draw anywhere; everything else is for the owner to decide.
USUAL = "csam, child porn, child pornography, lolicon, shotacon"


def blocked_word(text, words):
    """The first of `words` (separated by commas or lines) that stands in `text` as a whole word; None for none."""
    plain = f" {_plain(text)} "
    for word in re.split(r"[,\n]", words):
        if (bare := _plain(word)) and f" {bare} " in plain:
            return word.strip()
    return None


def _plain(text):
    """Small letters without accents, one space between words: spelling tricks with these don't count."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return " ".join(re.findall(r"\w+", "".join(c for c in apart if not unicodedata.combining(c))))


@hookimpl
def register_settings():
    yield Text("words", "Blocked words", USUAL, lines=4, help="Separated by commas. A phrase counts as a whole.")


@hookimpl
def prepare_request(request, settings):
    if word := blocked_word(request.prompt, settings["words"]):
        raise RequestError("prompt", f"This studio doesn't draw “{word}”.")


@hookimpl
def review_image(request, settings):
    """Whatever way the words came into the prompt after it was checked, the picture is kept back."""
    if word := blocked_word(request.prompt, settings["words"]):
        return Review("block", f"its prompt holds “{word}”")
    return None

"""What a model's licence lets people do, in plain words; not legal advice, and never a guess about an unknown one."""

from __future__ import annotations

# The first row whose words all stand in a licence's name or address, in small letters, describes it.
_PLAIN: tuple[tuple[tuple[str, ...], str], ...] = (
    (("fair-ai-public-license",), "use and sell pictures; share changed models under the same licence"),
    (("openrail++",), "use and sell pictures, also commercially, but not for the harmful uses that it lists"),
    (("open-rail",), "use and sell pictures, also commercially, but not for the harmful uses that it lists"),
    (("openrail",), "use and sell pictures, also commercially, but not for the harmful uses that it lists"),
    (("sai-nc",), "not for commercial use"),
    (("stabilityai", "community"), "free for people and firms below a yearly revenue of a million dollars"),
    (("non-commercial",), "not for commercial use"),
    (("noncommercial",), "not for commercial use"),
    (("by-nc",), "not for commercial use; name the author"),
    (("by-sa",), "use as you like; name the author and share changes under the same licence"),
    (("cc-by",), "use as you like; name the author"),
    (("cc0",), "use as you like"),
    (("apache-2.0",), "use as you like"),
    (("apache", "2"), "use as you like"),
    (("mit",), "use as you like"),
)


def plain_licence(name: str) -> str:
    """A licence in plain words; a name that isn't known is said to be so, with where to look."""
    text = name.lower().replace(" ", "-").replace("_", "-")
    words = set(text.replace("/", "-").split("-"))
    for marks, meaning in _PLAIN:
        if all(mark in words if len(mark) <= 3 else mark in text for mark in marks):
            return meaning
    return "not known: look where the model came from before you sell pictures made with it"

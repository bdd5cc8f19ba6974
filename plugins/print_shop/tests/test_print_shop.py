"""The print shop's styles are there, and the first two use only words of the starter."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent


def test_styles(load_plugin):
    styles = {style.id: style for style in load_plugin(FOLDER).registry.styles()}
    assert len(styles) == 6
    assert styles["shop-sticker"].around("red star") == "red star, flat style, plain white background"

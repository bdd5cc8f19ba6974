"""The static markup that the page's scripts fill; nobody's words ever pass through it.

Gradio evaluates `${…}` and `{{…}}` in an HTML block's value as code in the visitor's page. So shells are files of ours
that hold neither, and what people typed reaches the page only through the routes and `textContent`.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

SHELLS = Path(__file__).parent / "shells"
STYLE_SHEETS = (
    "tokens", "gradio", "layout", "buttons", "controls", "prompt", "cards", "start", "overlay", "batch", "canvas",
    "stage", "under", "welcome", "compare", "lists", "dialogs", "vocabulary", "models", "plugins", "motion",
)  # fmt: skip
SCRIPTS = Path(__file__).parent / "assets" / "js"
# All at once, or a browser would learn of each only from the one that asks for it.
MODULES = tuple(sorted(path.stem for path in SCRIPTS.glob("*.js") if not path.stem.endswith(".worker")))


def shell(name: str) -> gr.HTML:
    """The block whose markup is shells/NAME.html; its elements' ids are what the scripts look for."""
    markup = (SHELLS / f"{name}.html").read_text(encoding="utf-8")
    return gr.HTML(
        markup, apply_default_css=False, js_on_load=None, elem_id=f"lm-shell-{name}", elem_classes="lm-shell"
    )


def head(version: str) -> str:
    """What stands in the page's head; `version` in the addresses makes browsers forget the files of an older studio."""
    at = f"/limner/assets/{version}"
    sheets = "".join(f'<link rel="stylesheet" href="{at}/css/{name}.css">' for name in STYLE_SHEETS)
    early = "".join(f'<link rel="modulepreload" href="{at}/js/{name}.js">' for name in MODULES)
    font = f'<link rel="preload" as="font" type="font/woff2" crossorigin href="{at}/fonts/inter-latin.woff2">'
    start = (SHELLS / "head.html").read_text(encoding="utf-8")
    return f'{start}{font}{sheets}{early}<script type="module" src="{at}/js/limner.js"></script>'

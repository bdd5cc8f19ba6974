"""The studio's own Gradio theme: every colour is a token of assets/css/tokens.css, where dark and light live."""

from __future__ import annotations

from gradio.themes import Base, Font
from gradio.themes.utils import sizes

_TOKENS = {
    "body_background_fill": "bg",
    "body_text_color": "text",
    "body_text_color_subdued": "muted",
    "background_fill_primary": "panel",
    "background_fill_secondary": "bg",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "block_background_fill": "none",
    "block_border_color": "none",
    "block_label_background_fill": "none",
    "block_label_text_color": "muted",
    "block_title_text_color": "muted",
    "block_info_text_color": "muted",
    "panel_background_fill": "none",
    "input_background_fill": "field",
    "input_background_fill_focus": "field",
    "input_border_color": "line",
    "input_border_color_focus": "accent-line",
    "input_placeholder_color": "faint",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent-hover",
    "button_primary_text_color": "on-accent",
    "button_secondary_background_fill": "raised",
    "button_secondary_background_fill_hover": "raised-hover",
    "button_secondary_text_color": "text",
    "color_accent_soft": "accent-soft",
    "link_text_color": "accent-text",
}


class LimnerTheme(Base):
    """Neutral greys, so that pictures are judged right, and one accent."""

    def __init__(self) -> None:
        super().__init__(
            font=[Font("Inter Variable"), Font("system-ui"), Font("sans-serif")],
            font_mono=[Font("ui-monospace"), Font("Consolas"), Font("monospace")],
            text_size=sizes.text_md,
            spacing_size=sizes.spacing_md,
            radius_size=sizes.radius_md,
        )
        colours = {name: f"var(--lm-{token})" for name, token in _TOKENS.items()}
        both = colours | {f"{name}_dark": value for name, value in colours.items()}
        plain = {
            "block_border_width": "0px",
            "block_shadow": "none",
            "input_shadow_focus": "none",
            "block_padding": "0px",
        }
        super().set(**both, **plain)

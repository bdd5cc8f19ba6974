"""How many pictures there are, asked anew whenever the button is pressed."""

import gradio as gr

from toolkit.plugins.api import Tab, hookimpl


def build(studio):
    """Called while the page is built; `studio` has models, styles, gallery and settings."""
    from webui.visitors import who_of

    def count(request: gr.Request) -> str:
        return f"You have {studio.gallery.count(who_of(request))} pictures."

    gr.Markdown("## Numbers")
    gr.Markdown(f"This studio has {len(studio.models.list())} models and {len(studio.styles.styles)} styles.")
    said = gr.Markdown()
    gr.Button("Count my pictures").click(count, None, said, queue=False, api_visibility="private")


@hookimpl
def register_tabs():
    yield Tab("numbers", "Numbers", build)

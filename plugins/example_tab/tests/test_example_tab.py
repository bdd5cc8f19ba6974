"""The tab is built, and short enough to be an example."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent


def test_the_tab_is_built(load_plugin, studio_with):
    import gradio as gr

    plugins = load_plugin(FOLDER)
    [tab] = plugins.registry.load_tabs(plugins.get("example_tab"))
    with studio_with(FOLDER) as studio, gr.Blocks() as page:
        tab.build(studio)
    assert any("models and" in str(block.value) for block in page.blocks.values() if hasattr(block, "value"))
    assert len((FOLDER / "ui.py").read_text("utf-8").splitlines()) <= 40

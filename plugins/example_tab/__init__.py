"""A page of its own, as an example; all of it is in ui.py, because only that file may import gradio."""

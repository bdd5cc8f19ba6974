"""Everything a plugin imports: `from toolkit.plugins.api import hookimpl, Postprocessor, Number`."""

from toolkit.errors import Cancelled, RequestError
from toolkit.exports import export_path
from toolkit.jobs import OWNER
from toolkit.plugins.context import Context
from toolkit.plugins.descriptors import (
    Command,
    Control,
    Exporter,
    Postprocessor,
    Preprocessor,
    PromptTransform,
    Review,
    Tab,
    Upscaler,
)
from toolkit.plugins.hookspecs import hookimpl
from toolkit.plugins.params import Choice, Color, ImageInput, Number, Text, Toggle
from toolkit.styles import Style

__all__ = [
    "OWNER",
    "Cancelled",
    "Choice",
    "Color",
    "Command",
    "Context",
    "Control",
    "Exporter",
    "ImageInput",
    "Number",
    "Postprocessor",
    "Preprocessor",
    "PromptTransform",
    "RequestError",
    "Review",
    "Style",
    "Tab",
    "Text",
    "Toggle",
    "Upscaler",
    "export_path",
    "hookimpl",
]

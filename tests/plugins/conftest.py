"""Fixtures of `toolkit.testing`, as authors of plugins have them."""

from toolkit.testing import export, finish, load_plugin, plugin_data, preprocess, run_job, studio_with

__all__ = ["export", "finish", "load_plugin", "plugin_data", "preprocess", "run_job", "studio_with"]

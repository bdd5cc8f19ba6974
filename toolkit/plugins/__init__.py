"""Plugins: what they may give (`hookspecs`), how they are found and loaded, and how they are called without trust.

The names that a plugin needs are in `toolkit.plugins.api`; importing this package loads nothing.
"""

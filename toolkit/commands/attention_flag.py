"""The flag `--attention` of the commands that draw."""

from __future__ import annotations

import argparse

ATTENTION = ("auto", "plain", "sliced")


def add_attention(parser: argparse.ArgumentParser) -> None:
    """Add the flag; its values are those of the setting."""
    parser.add_argument(
        "--attention", choices=ATTENTION,
        help="how the denoiser attends: the device's fastest way, plainly, or sliced, which is slow and needs little "
        "memory (default: auto)",
    )  # fmt: skip

"""`launch.py starter`: trains and evaluates the starter model, with the kit in `toolkit/starter`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from toolkit.starter import cli

if TYPE_CHECKING:
    from toolkit.settings import Settings

HELP = "train and evaluate the starter model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    cli.add_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    return cli.run(args, settings)

"""`python -m toolkit.starter train` and `evaluate`."""

import argparse
import sys

from toolkit.starter.cli import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m toolkit.starter", description=__doc__)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))

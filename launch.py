#!/usr/bin/env python3
"""Start Limner: `python3 launch.py` makes its environment and opens the page; `--help` lists the rest.

This file reads under any Python 3, so that an old one gets a sentence instead of a syntax error. What it starts uses
only the standard library until the virtual environment in `.venv` holds the packages.
"""

import sys

MINIMUM = (3, 11)


def start():
    if sys.version_info < MINIMUM:
        found = ".".join(str(part) for part in sys.version_info[:2])
        wanted = ".".join(str(part) for part in MINIMUM)
        sys.stderr.write(
            "Limner needs Python %s or newer, and this is Python %s: install a newer one from python.org and start "
            "again with it.\n" % (wanted, found)
        )
        return 2
    try:
        from toolkit.commands.line import main

        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(start())

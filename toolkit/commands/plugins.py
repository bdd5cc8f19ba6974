"""`launch.py plugins`: lists plugins, writes new ones, checks them, adds them, and keeps what the owner allowed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import PluginError

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins
    from toolkit.settings import Settings

HELP = "list plugins, write a new one, check one, add one, switch them on and off"
KINDS = ("finish", "style", "control", "upscaler", "exporter", "option", "tab")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="what is there, in which state, and why (also without an action)")
    listing.add_argument("--json", action="store_true", help="print the list as JSON")
    new = actions.add_parser("new", help="write a plugin that works, with a test that passes")
    new.add_argument("name", metavar="NAME", help="small letters, digits and _, for example film_grain")
    new.add_argument("--kind", choices=KINDS, default="finish", help="what it gives (default: finish)")
    new.add_argument("--in", dest="place", metavar="DIR", help="folder for it (default: plugins)")
    check = actions.add_parser("check", help="check a plugin and run its tests, as for the bundled ones")
    check.add_argument("path", metavar="PATH", help="the plugin's folder")
    add = actions.add_parser("add", help="add a plugin from a folder, a ZIP file or a git address, after showing it")
    add.add_argument("source", metavar="ZIP|FOLDER|GIT-URL")
    add.add_argument("--yes", action="store_true", help="don't ask")
    for action, text in (
        ("allow", "allow a plugin with the files it has now"),
        ("enable", "switch a plugin on"),
        ("disable", "switch a plugin off; its settings are kept"),
    ):
        actions.add_parser(action, help=text).add_argument("name", metavar="NAME")
    command = actions.add_parser("run", help="run a command of a plugin; the same as its name as a command")
    command.add_argument("name", metavar="NAME")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="…")
    lock = actions.add_parser("lock", help="write the hashes of the bundled plugins, for who works on them")
    lock.add_argument("names", nargs="*", metavar="NAME", help="plugins that are bundled from now on")


def run(args: argparse.Namespace, settings: Settings) -> int:
    action = args.action or "list"
    return {
        "list": _list, "new": _new, "check": _check, "add": _add, "allow": _allow, "enable": _switch,
        "disable": _switch, "run": _run, "lock": _lock,
    }[action](args, settings)  # fmt: skip


def _open(settings: Settings) -> Plugins:
    from toolkit.plugins.plugins import Plugins

    return Plugins(settings.data, given=settings.plugins, safe=settings.safe_mode)


def _list(args: argparse.Namespace, settings: Settings) -> int:
    plugins = _open(settings)
    if getattr(args, "json", False):
        print(json.dumps([plugin.to_dict() for plugin in plugins.found], ensure_ascii=False, indent=1))
        return 0
    for plugin in sorted(plugins.found, key=lambda one: one.name):
        what = plugin.reason or ", ".join(plugin.provides) or plugin.manifest.description
        time = f"{plugin.seconds * 1000:.0f} ms" if plugin.seconds else ""
        print(f"{plugin.name:<18} {plugin.state.value:<13} {plugin.manifest.version:<8} {time:>6}  {what}")
    for problem in plugins.problems:
        print(problem, file=sys.stderr)
    if not plugins.found:
        print("There are no plugins: `python3 launch.py plugins new NAME` writes one.")
    return 0


def _new(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.plugins.plugins import FOLDER
    from toolkit.plugins.scaffold import write_plugin

    files = write_plugin(Path(args.place).expanduser() if args.place else FOLDER, args.name, args.kind)
    for path in files:
        print(path)
    folder = files[0].parent
    print(
        f"Now change it, then `python3 launch.py plugins check {folder}` and `python3 launch.py plugins allow "
        f"{args.name}`; while you work on it, start with `--plugins {folder}`.",
        file=sys.stderr,
    )
    return 0


def _check(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.plugins.checking import check, run_tests

    folder = Path(args.path).expanduser().resolve()
    if not folder.is_dir():
        raise PluginError(f"There is no folder {folder}.")
    good = True
    for finding in check(folder):
        print(f"{'ok ' if finding.good else 'BAD'}  {finding.about:<13} {finding.said}")
        good = good and finding.good
    if good and (folder / "tests").is_dir():
        try:
            import pytest  # noqa: F401
        except ImportError:
            print("--   tests         not run: `python3 launch.py test unit` installs pytest")
        else:
            sys.stdout.flush()
            good = run_tests(folder) == 0
    print(f"{folder.name} is {'fine' if good else 'not ready'}.")
    return 0 if good else 1


def _add(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.plugins.adding import fetch, place
    from toolkit.plugins.plugins import FOLDER

    with fetch(args.source) as offer:
        print("\n".join(offer.lines()))
        print("A plugin runs with your rights: it can read and change everything that you can.")
        if not args.yes and not _agreed(f"Add “{offer.name}” to {FOLDER}?"):
            print("Nothing was added.")
            return 1
        target = place(offer, FOLDER)
    plugin = _open(settings).allow(offer.name)
    print(f"{target} is {plugin.state.value}{': ' + plugin.reason if plugin.reason else '.'}")
    return 0 if plugin.state.value == "active" else 1


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise PluginError("Nobody can be asked here: look at the plugin, then add it with --yes.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _allow(args: argparse.Namespace, settings: Settings) -> int:
    plugin = _open(settings).allow(args.name)
    print(f"{plugin.name} is {plugin.state.value}{': ' + plugin.reason if plugin.reason else '.'}")
    return 0 if plugin.state.value in ("active", "disabled") else 1


def _switch(args: argparse.Namespace, settings: Settings) -> int:
    plugin = _open(settings).enable(args.name, args.action == "enable")
    print(f"{plugin.name} is {plugin.state.value}{': ' + plugin.reason if plugin.reason else '.'}")
    return 0


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.plugins.params import clean_options, with_defaults
    from toolkit.studio import Studio

    with Studio(settings=settings) as studio:
        commands = studio.plugins.registry.commands()
        if args.name not in commands:
            there = ", ".join(commands) or "none"
            raise PluginError(f"No active plugin has a command “{args.name}”; there are {there}.")
        command = commands[args.name].noun
        parser = argparse.ArgumentParser(prog=f"launch.py {args.name}", description=command.help)
        parser.add_argument("words", nargs="*", metavar="WORD")
        for param in command.params:
            help_text = (param.help or param.label).replace("%", "%%")
            flag, value = f"--{param.name.replace('_', '-')}", param.name.upper()
            parser.add_argument(flag, dest=f"option {param.name}", metavar=value, help=help_text)
        parsed = vars(parser.parse_args(args.words))
        given = {name.removeprefix("option "): value for name, value in parsed.items() if name.startswith("option ")}
        given = {name: value for name, value in given.items() if value is not None}
        options = with_defaults(command.params, clean_options(command.params, given, args.name))
        return command.run(studio, parsed["words"], options)


def _lock(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.plugins.lock import Lock, fingerprint
    from toolkit.plugins.manifest import FILE, read_manifest
    from toolkit.plugins.plugins import BUNDLED, FOLDER

    lock = Lock(BUNDLED)
    for folder in sorted(path.parent for path in FOLDER.glob(f"*/{FILE}")):
        if folder.name in lock or folder.name in args.names:
            lock.allow(folder.name, read_manifest(folder).version, fingerprint(folder))
            print(f"{folder.name} {lock.hash(folder.name)}")
    return 0

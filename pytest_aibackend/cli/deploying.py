"""The commands that bring a configuration to the gateway: reload, watch, history, backups."""

from __future__ import annotations

import argparse

from pytest_aibackend.cli.options import Commands, add_config, count, seconds

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add these commands."""
    _add_reload(commands)
    _add_watch(commands)
    _add_history(commands)
    _add_backups(commands)


def _add_reload(commands: Commands) -> None:
    reload = commands.add_parser(
        "reload",
        help="generate, check, deploy and verify the gateway's file, or roll back",
        description="Generate the gateway's file, put it through the gate, deploy it without loss, and verify"
        " it, or put the old one back.",
        epilog="exit status: 0 deployed, unchanged or valid; 1 refused or declined, nothing touched;"
        " 2 wrong usage or environment; 3 rolled back; 4 rolled back and still not healthy;"
        " 5 locked by another run; 130 or 143 interrupted, nothing touched",
    )
    add_config(reload)
    reload.add_argument("--validate-only", action="store_true", help="stop before anything is touched")
    reload.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    _add_deploying(reload)
    reload.set_defaults(run=_reload)


def _add_watch(commands: Commands) -> None:
    watch = commands.add_parser(
        "watch",
        help="reload whenever a source changes",
        description="Reload now, and then whenever a source has changed. The gate and, where LiteLLM is"
        " installed, the canary judge each change; what they refuse is told, and the gateway keeps what it"
        " has. LiteLLM is kept loaded for the canary, which takes some 300 MB.",
    )
    add_config(watch)
    watch.add_argument(
        "--debounce",
        type=seconds,
        default=0.5,
        metavar="SECONDS",
        help="wait until nothing has changed for so long (default: 0.5)",
    )
    watch.add_argument("--live", action="store_true", help="ask the running services in the gate, too")
    _add_verify_within(watch)
    watch.add_argument("--json", action="store_true", help="print one JSON document a line for each reload")
    watch.set_defaults(run=_watch)


def _add_history(commands: Commands) -> None:
    history = commands.add_parser("history", help="show the reloads: when, who, what, how they ended")
    add_config(history)
    history.add_argument("--json", action="store_true", help="one JSON object a line")
    history.add_argument("-n", type=count, metavar="N", dest="count", help="only the newest N")
    history.set_defaults(run=_history)


def _add_backups(commands: Commands) -> None:
    backups = commands.add_parser("backups", help="look after the backups that reloads make, restore one")
    _add_backup_actions(backups.add_subparsers(dest="action", metavar="ACTION", required=True))
    backups.set_defaults(run=_backups)


def _add_backup_actions(actions: Commands) -> None:
    listing = actions.add_parser("list", help="show them: state, and what keeps each")
    verify = actions.add_parser("verify", help="check that the newest, NAME or all can be restored")
    verify.add_argument("name", nargs="?", metavar="NAME")
    verify.add_argument("--all", action="store_true", help="every one")
    rotate = actions.add_parser("rotate", help="delete those that the retention does not keep")
    rotate.add_argument("--dry-run", action="store_true", help="show what would be deleted, and keep it")
    rehearse = actions.add_parser("rehearse", help="show the retention at work on scratch backups")
    restore = actions.add_parser("restore", help="deploy a backup, through the same gate as a reload")
    restore.add_argument("name", metavar="NAME")
    _add_deploying(restore)
    for action in (listing, verify, rotate, rehearse, restore):
        add_config(action)
    for action in (listing, verify, rotate, restore):
        action.add_argument("--json", action="store_true", help="print JSON and nothing else")


def _add_deploying(command: argparse.ArgumentParser) -> None:
    """Add the options of what ends in a new file for the gateway."""
    command.add_argument(
        "--yes", "--force", action="store_true", dest="yes", help="do not ask; no check is left out"
    )
    command.add_argument(
        "--canary",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="try the file with the real LiteLLM first (default: where that is installed)",
    )
    command.add_argument("--live", action="store_true", help="ask the running services in the gate, too")
    command.add_argument(
        "--wait", type=seconds, default=0.0, metavar="SECONDS", help="for another run to end (default: 0)"
    )
    command.add_argument(
        "--verify-completion", action="store_true", help="verify with a tiny completion (runs a model)"
    )
    _add_verify_within(command)
    command.set_defaults(bug=2)  # 3 says that it was rolled back


def _add_verify_within(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--verify-within",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="for the gateway to serve the new file (default: 60)",
    )


def _reload(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.deploy.pipeline import Request, run

    return run(Request.of(arguments, validate_only=arguments.validate_only))


def _watch(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.deploy.watch.loop import WatchOptions, watch

    options = WatchOptions(
        quiet_s=arguments.debounce,
        live=arguments.live,
        as_json=arguments.json,
        verify_within_s=arguments.verify_within,
    )
    return watch(arguments.config, options)


def _history(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.deploy.command import show_history

    return show_history(arguments.config, as_json=arguments.json, count=arguments.count)


def _backups(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.deploy.backups.command import run

    return run(arguments)

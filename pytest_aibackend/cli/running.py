"""The commands that run things, and look at what runs: up, down, status, serve, cache."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_aibackend.cli.options import Commands, add_config

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add these commands."""
    _add_stack(commands)
    _add_serve(commands)
    _add_cache(commands)


def _add_stack(commands: Commands) -> None:
    for name, text in (
        ("up", "start the embedded stack: Valkey, two llama.cpp servers and LiteLLM"),
        ("down", "stop the embedded stack"),
        ("status", "show what runs, what the gateway serves, and what is wrong with it"),
    ):
        command = commands.add_parser(name, help=text)
        embedded = Path("examples/embedded")
        command.add_argument(
            "--config",
            type=Path,
            default=None if name == "status" else embedded,
            metavar="DIR",
            help=f"default: {embedded}" + (" while that is up, else config" if name == "status" else ""),
        )
        if name == "up":
            command.add_argument("--detach", action="store_true", help="return when all services are ready")
        if name == "status":
            command.add_argument("--json", action="store_true", help="print JSON and nothing else")
        command.set_defaults(run=_stack)


def _add_serve(commands: Commands) -> None:
    serve = commands.add_parser(
        "serve",
        help="run the gateway: LiteLLM, under a supervisor that reloads it without loss",
        description="Run LiteLLM for a service manager. What stands after -- is passed on to LiteLLM.",
    )
    add_config(serve)
    serve.add_argument("--host", metavar="ADDRESS", help="listen here (default: the host of deploy.url)")
    serve.add_argument("--port", type=int, metavar="N", help="default: the port of deploy.url")
    serve.add_argument("--workers", type=int, metavar="N", help="default: deploy.workers")
    serve.add_argument("--pidfile", type=Path, metavar="FILE", help="default: deploy.service.pidfile")
    serve.add_argument(
        "--grace", type=int, default=30, metavar="SECONDS", help="how long a stop waits for streams (30)"
    )
    serve.add_argument(
        "--keep-alive", type=int, default=75, metavar="SECONDS", help="how long idle connections stay (75)"
    )
    serve.set_defaults(run=_serve)


def _add_cache(commands: Commands) -> None:
    cache = commands.add_parser("cache", help="look at or clear the gateway's cache, within its namespace")
    cache.add_argument("action", choices=("stats", "clear"))
    add_config(cache)
    cache.add_argument("--dry-run", action="store_true", help="count the keys that would go, and keep them")
    cache.add_argument("--json", action="store_true", help="print JSON and nothing else")
    cache.set_defaults(run=_cache)


def _stack(arguments: argparse.Namespace, _rest: list[str]) -> int:
    if arguments.command == "status":
        from pytest_aibackend.status_command import status

        return status(arguments.config, as_json=arguments.json)
    from pytest_aibackend.stack import commands

    if arguments.command == "up":
        return commands.up(arguments.config, detach=arguments.detach)
    return commands.down(arguments.config)


def _serve(arguments: argparse.Namespace, passed_on: list[str]) -> int:
    from pytest_aibackend.deploy.serve import ServeOptions, serve

    options = ServeOptions(
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        pidfile=arguments.pidfile,
        grace_s=arguments.grace,
        keep_alive_s=arguments.keep_alive,
        arguments=tuple(passed_on),
    )
    return serve(arguments.config, options)


def _cache(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.cache_command import run

    return run(arguments.action, arguments.config, dry_run=arguments.dry_run, as_json=arguments.json)

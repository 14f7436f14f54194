"""The command line, `aibackend`: arguments in, one call out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pytest_aibackend import __version__

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status: 0 good, 1 findings, 2 wrong usage, 3 a bug of ours."""
    parser = _parser()
    given = sys.argv[1:] if argv is None else list(argv)
    passed_on: list[str] = []
    if given[:1] == ["serve"] and "--" in given:
        given, passed_on = given[: given.index("--")], given[given.index("--") + 1 :]
    arguments, rest = parser.parse_known_args(given)
    if rest and arguments.command != "check":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return int(arguments.run(arguments, rest or passed_on))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`; say nothing more.
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:  # noqa: PLR0915 # a list of commands
    parser = argparse.ArgumentParser(
        prog="aibackend", description="Check, generate and run the configuration of an LLM gateway."
    )
    parser.add_argument("--version", action="version", version=f"pytest-aibackend {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    check = commands.add_parser(
        "check",
        help="run the eleven checks",
        description="Run the eleven checks. What is not listed here is passed on to pytest.",
    )
    check.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
    check.add_argument("--json", action="store_true", help="print the JSON document and nothing else")
    check.add_argument("--critical", action="store_true", help="the critical checks only")
    check.add_argument("--live", action="store_true", help="ask the running services, too")
    check.set_defaults(run=_check)

    generate = commands.add_parser("generate", help="write the gateway's file from the sources")
    generate.add_argument(
        "--config", type=Path, default=Path("config"), metavar="DIR", help="default: config"
    )
    generate.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 with a diff if it would change"
    )
    generate.add_argument("--output", metavar="FILE|-", help="default: DIR/litellm-unified.yaml; - prints it")
    generate.set_defaults(run=_generate)

    _add_lint(commands)

    importing = commands.add_parser(
        "import",
        help="turn a LiteLLM config.yaml into the sources",
        description="Turn a hand-written LiteLLM configuration into sources that mean the same; check them.",
        epilog="exit status: 0 written; 1 the configuration is refused; 2 wrong usage",
    )
    importing.add_argument("file", type=Path, metavar="config.yaml")
    importing.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the sources go")
    importing.add_argument("--port", type=_port, default=4000, metavar="N", help="the gateway's (4000)")
    importing.add_argument("--force", action="store_true", help="replace sources that are there")
    importing.add_argument("--json", action="store_true", help="print JSON and nothing else")
    importing.set_defaults(run=_import)

    ports = commands.add_parser("ports", help="show the registered ports, who listens, and conflicts")
    ports.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
    ports.add_argument(
        "--required", action="store_true", help="only required services; a silent one is an error"
    )
    ports.add_argument("--port", type=int, metavar="N", help="only this port")
    ports.add_argument("--json", action="store_true", help="print JSON and nothing else")
    ports.set_defaults(run=_ports)

    for name, text in (
        ("up", "start the embedded stack: Valkey, two llama.cpp servers and LiteLLM"),
        ("down", "stop the embedded stack"),
        ("status", "show what runs, what the gateway serves, and what is wrong with it"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--config",
            type=Path,
            default=Path("examples/embedded"),
            metavar="DIR",
            help="default: examples/embedded",
        )
        if name == "up":
            command.add_argument("--detach", action="store_true", help="return when all services are ready")
        if name == "status":
            command.add_argument("--json", action="store_true", help="print JSON and nothing else")
        command.set_defaults(run=_stack)

    serve = commands.add_parser(
        "serve",
        help="run the gateway: LiteLLM, under a supervisor that reloads it without loss",
        description="Run LiteLLM for a service manager. What stands after -- is passed on to LiteLLM.",
    )
    serve.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
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

    cache = commands.add_parser("cache", help="look at or clear the gateway's cache, within its namespace")
    cache.add_argument("action", choices=("stats", "clear"))
    cache.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
    cache.add_argument("--dry-run", action="store_true", help="count the keys that would go, and keep them")
    cache.add_argument("--json", action="store_true", help="print JSON and nothing else")
    cache.set_defaults(run=_cache)

    backups = commands.add_parser("backups", help="look after the backups that reloads make, restore one")
    _add_backups(backups.add_subparsers(dest="action", metavar="ACTION", required=True))
    backups.set_defaults(run=_backups)

    _add_reload(commands)

    schema = commands.add_parser(
        "schema", help="write the JSON Schemas of the source files, or of LiteLLM's config.yaml"
    )
    schema.add_argument(
        "action",
        choices=("export", "derive"),
        help="export: those of the source files; derive: that of the installed LiteLLM's config.yaml",
    )
    schema.add_argument(
        "--output",
        type=Path,
        metavar="DIR|FILE",
        help="export: the folder (config/schemas); derive: the file (printed without it)",
    )
    schema.set_defaults(run=_schema)

    docs = commands.add_parser("docs", help="print a rule catalogue as Markdown")
    docs.add_argument("what", choices=("checks", "lint"))
    docs.set_defaults(run=_docs)
    return parser


def _add_lint(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lint = commands.add_parser(
        "lint",
        help="check any LiteLLM config.yaml",
        description="Check a LiteLLM config.yaml, whoever wrote it, with what it includes; needs no LiteLLM.",
        epilog="exit status: 0 clean or warnings; 1 errors, with --strict also warnings; 2 wrong usage",
    )
    lint.add_argument("files", nargs="*", metavar="FILE", help="a config.yaml; - reads standard input")
    shape = lint.add_mutually_exclusive_group()
    shape.add_argument(
        "--json", action="store_const", const="json", dest="format", help="the same as --format json"
    )
    shape.add_argument("--format", choices=("text", "json", "github", "sarif"), help="default: text")
    lint.add_argument(
        "--litellm-version",
        metavar="V",
        help="judge as this LiteLLM does (default: the installed, else the newest)",
    )
    lint.add_argument(
        "--env-file", type=Path, metavar="F", help="the gateway's variables: report those it lacks"
    )
    lint.add_argument(
        "--environment", action="store_true", help="the gateway's variables are those of this process"
    )
    lint.add_argument("--strict", action="store_true", help="warnings fail, too")
    for name, text in (("--select", "run only these rules"), ("--ignore", "leave these rules out")):
        lint.add_argument(
            name,
            action="append",
            default=[],
            metavar="RULE",
            help=f"{text}: ids, with * or separated by commas",
        )
    lint.add_argument(
        "--baseline", type=Path, metavar="F", help="do not tell the findings that this file knows"
    )
    lint.add_argument(
        "--write-baseline", action="store_true", help="write all findings to the baseline, exit 0"
    )
    lint.set_defaults(run=_lint)


def _add_backups(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
        action.add_argument(
            "--config", type=Path, default=Path("config"), metavar="DIR", help="default: config"
        )
    for action in (listing, verify, rotate, restore):
        action.add_argument("--json", action="store_true", help="print JSON and nothing else")


def _add_reload(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    reload = commands.add_parser(
        "reload",
        help="generate, check, deploy and verify the gateway's file, or roll back",
        description="Generate the gateway's file, put it through the gate, deploy it without loss, and verify"
        " it, or put the old one back.",
        epilog="exit status: 0 deployed, unchanged or valid; 1 refused or declined, nothing touched;"
        " 2 wrong usage or environment; 3 rolled back; 4 rolled back and still not healthy;"
        " 5 locked by another run; 130 or 143 interrupted, nothing touched",
    )
    reload.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
    reload.add_argument("--validate-only", action="store_true", help="stop before anything is touched")
    reload.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    _add_deploying(reload)
    reload.set_defaults(run=_reload)

    watch = commands.add_parser(
        "watch",
        help="reload whenever a source changes",
        description="Reload now, and then whenever a source has changed. The gate and, where LiteLLM is"
        " installed, the canary judge each change; what they refuse is told, and the gateway keeps what it"
        " has. LiteLLM is kept loaded for the canary, which takes some 300 MB.",
    )
    watch.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
    watch.add_argument(
        "--debounce",
        type=_seconds,
        default=0.5,
        metavar="SECONDS",
        help="wait until nothing has changed for so long (default: 0.5)",
    )
    watch.add_argument("--live", action="store_true", help="ask the running services in the gate, too")
    _add_verify_within(watch)
    watch.add_argument("--json", action="store_true", help="print one JSON document a line for each reload")
    watch.set_defaults(run=_watch)

    history = commands.add_parser("history", help="show the reloads: when, who, what, how they ended")
    history.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
    history.add_argument("--json", action="store_true", help="one JSON object a line")
    history.add_argument("-n", type=_count, metavar="N", dest="count", help="only the newest N")
    history.set_defaults(run=_history)


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
        "--wait", type=_seconds, default=0.0, metavar="SECONDS", help="for another run to end (default: 0)"
    )
    command.add_argument(
        "--verify-completion", action="store_true", help="verify with a tiny completion (runs a model)"
    )
    _add_verify_within(command)


def _add_verify_within(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--verify-within",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="for the gateway to serve the new file (default: 60)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 86400")
    return seconds


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def _reload(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.deploy.pipeline import Request, run

    return run(
        Request(
            config_dir=arguments.config,
            validate_only=arguments.validate_only,
            assume_yes=arguments.yes,
            canary=arguments.canary,
            live=arguments.live,
            as_json=arguments.json,
            wait_s=arguments.wait,
            verify_completion=arguments.verify_completion,
            verify_within_s=arguments.verify_within,
        )
    )


def _watch(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.deploy.watch import WatchOptions, watch

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


def _check(arguments: argparse.Namespace, rest: list[str]) -> int:
    from pytest_aibackend.runner import run_checks

    return run_checks(
        arguments.config, as_json=arguments.json, critical=arguments.critical, live=arguments.live, extra=rest
    )


def _lint(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.lint_command import LintOptions, run

    return run(
        LintOptions(
            files=arguments.files,
            format=arguments.format or "text",
            litellm_version=arguments.litellm_version,
            env_file=arguments.env_file,
            environment=arguments.environment,
            strict=arguments.strict,
            select=arguments.select,
            ignore=arguments.ignore,
            baseline=arguments.baseline,
            write_baseline=arguments.write_baseline,
        )
    )


def _generate(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.litellm.command import generate

    output = arguments.output
    return generate(
        arguments.config, check=arguments.check, output=output if output in (None, "-") else Path(output)
    )


def _import(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.importer.command import import_config

    return import_config(
        arguments.file, arguments.output, port=arguments.port, force=arguments.force, as_json=arguments.json
    )


def _ports(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.port_report import report_ports

    return report_ports(
        arguments.config, required=arguments.required, port=arguments.port, as_json=arguments.json
    )


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


def _backups(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.deploy.backups_command import run

    return run(arguments)


def _schema(arguments: argparse.Namespace, _rest: list[str]) -> int:
    if arguments.action == "derive":
        from pytest_aibackend.litellm.derive.command import run

        return run(arguments.output)
    from pytest_aibackend.sources.json_schema import export

    for path in export(arguments.output or Path("config/schemas")):
        print(path)
    return 0


def _docs(arguments: argparse.Namespace, _rest: list[str]) -> int:
    if arguments.what == "lint":
        from pytest_aibackend.reporting.lint_catalogue import render
    else:
        from pytest_aibackend.reporting.catalogue import render

    print(render(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())

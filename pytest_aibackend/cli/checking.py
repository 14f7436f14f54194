"""The commands that look at files, and write some: check, lint, diff, generate, graph, import and others."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_aibackend.cli.options import Commands, add_config, add_format, port

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add these commands."""
    _add_check(commands)
    _add_lint(commands)
    _add_diff(commands)
    _add_generate(commands)
    _add_graph(commands)
    _add_import(commands)
    _add_ports(commands)
    _add_schema(commands)
    _add_docs(commands)


def _add_check(commands: Commands) -> None:
    check = commands.add_parser(
        "check",
        help="run the eleven checks",
        description="Run the eleven checks. What is not listed here is passed on to pytest.",
    )
    add_config(check)
    check.add_argument("--json", action="store_true", help="print the JSON document and nothing else")
    check.add_argument("--critical", action="store_true", help="the critical checks only")
    check.add_argument("--live", action="store_true", help="ask the running services, too")
    check.set_defaults(run=_check)


def _add_lint(commands: Commands) -> None:
    lint = commands.add_parser(
        "lint",
        help="check any LiteLLM config.yaml",
        description="Check a LiteLLM config.yaml, whoever wrote it, with what it includes; needs no LiteLLM.",
        epilog="exit status: 0 clean or warnings; 1 errors, with --strict also warnings; 2 wrong usage",
    )
    lint.add_argument("files", nargs="*", metavar="FILE", help="a config.yaml; - reads standard input")
    add_format(lint, "text", "json", "github", "sarif")
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


def _add_diff(commands: Commands) -> None:
    diff = commands.add_parser(
        "diff",
        help="say what a change of the configuration means",
        description="Say what a change means: for clients of each model group, for security, for speed.",
        epilog="exit status: 0 compared; 1 a change of a class that --fail-on names; 2 wrong usage",
    )
    diff.add_argument(
        "old",
        metavar="OLD",
        help="a directory, a LiteLLM config.yaml, a git revision, REV:PATH, or A..B, A...B",
    )
    diff.add_argument("new", nargs="?", metavar="NEW", help="the same; without it, the working tree")
    add_config(diff)
    add_format(diff, "text", "json", "markdown")
    diff.add_argument(
        "--fail-on",
        action="append",
        default=[],
        choices=("breaking", "security", "performance", "info"),
        metavar="CLASS",
        help="exit 1 where there is such a change: breaking, security, performance, info; may be repeated",
    )
    diff.set_defaults(run=_diff)


def _add_generate(commands: Commands) -> None:
    generate = commands.add_parser("generate", help="write the gateway's file from the sources")
    add_config(generate)
    generate.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 with a diff if it would change"
    )
    generate.add_argument("--output", metavar="FILE|-", help="default: DIR/litellm-unified.yaml; - prints it")
    generate.set_defaults(run=_generate)


def _add_graph(commands: Commands) -> None:
    graph = commands.add_parser(
        "graph",
        help="draw what the gateway does: names, model groups, deployments, fallbacks, providers, ports",
        description="Draw what the gateway does with these sources; what the offline checks find is marked.",
        epilog="exit status: 0 drawn; 1 a source cannot be read, so that something is missing; 2 wrong usage",
    )
    add_config(graph)
    graph.add_argument(
        "--format",
        choices=("mermaid", "dot", "svg", "html"),
        help="default: what the ending of --output says, else mermaid",
    )
    graph.add_argument("--output", type=Path, metavar="F", help="a file; without it, or with -, printed")
    graph.set_defaults(run=_graph)


def _add_import(commands: Commands) -> None:
    importing = commands.add_parser(
        "import",
        help="turn a LiteLLM config.yaml into the sources",
        description="Turn a hand-written LiteLLM configuration into sources that mean the same; check them.",
        epilog="exit status: 0 written; 1 the configuration is refused; 2 wrong usage; 3 a bug of ours",
    )
    importing.add_argument("file", type=Path, metavar="config.yaml")
    importing.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the sources go")
    importing.add_argument("--port", type=port, default=4000, metavar="N", help="the gateway's (4000)")
    importing.add_argument(
        "--force",
        action="store_true",
        help="move sources that are there into a directory before-import-..., and replace them",
    )
    importing.add_argument("--json", action="store_true", help="print JSON and nothing else")
    importing.set_defaults(run=_import)


def _add_ports(commands: Commands) -> None:
    ports = commands.add_parser("ports", help="show the registered ports, who listens, and conflicts")
    add_config(ports)
    ports.add_argument(
        "--required", action="store_true", help="only required services; a silent one is an error"
    )
    ports.add_argument("--port", type=int, metavar="N", help="only this port")
    ports.add_argument("--json", action="store_true", help="print JSON and nothing else")
    ports.set_defaults(run=_ports)


def _add_schema(commands: Commands) -> None:
    schema = commands.add_parser(
        "schema", help="write the JSON Schemas of the source files, or of LiteLLM's config.yaml"
    )
    schema.add_argument(
        "action",
        choices=("export", "derive", "litellm"),
        help="export: those of the source files; derive: that of the installed LiteLLM's config.yaml;"
        " litellm: that of a LiteLLM config.yaml for an editor, which needs no LiteLLM",
    )
    schema.add_argument(
        "--output",
        type=Path,
        metavar="DIR|FILE",
        help="export: the folder (config/schemas); derive, litellm: the file (printed without it)",
    )
    schema.add_argument(
        "--litellm-version",
        metavar="V",
        help="litellm: for that LiteLLM; else the installed, else the newest known",
    )
    schema.set_defaults(run=_schema)


def _add_docs(commands: Commands) -> None:
    docs = commands.add_parser("docs", help="print a page: a rule catalogue, the fields of the sources")
    docs.add_argument("what", choices=("checks", "lint", "changes", "schema"))
    docs.set_defaults(run=_docs)


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
            format=arguments.format,
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


def _diff(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.diff_command import DiffOptions, run

    return run(
        DiffOptions(
            old=arguments.old,
            new=arguments.new,
            config=arguments.config,
            format=arguments.format,
            fail_on=tuple(arguments.fail_on),
        )
    )


def _generate(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.litellm.command import generate

    output = arguments.output
    return generate(
        arguments.config, check=arguments.check, output=output if output in (None, "-") else Path(output)
    )


def _graph(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from pytest_aibackend.graph.command import draw

    return draw(arguments.config, picture=arguments.format, output=arguments.output)


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


def _schema(arguments: argparse.Namespace, _rest: list[str]) -> int:
    if arguments.action == "derive":
        from pytest_aibackend.litellm.derive.command import run

        return run(arguments.output)
    if arguments.action == "litellm":
        from pytest_aibackend.litellm.schema.command import run as run_litellm

        return run_litellm(arguments.output, arguments.litellm_version)
    from pytest_aibackend.sources.json_schema import export

    for path in export(arguments.output or Path("config/schemas")):
        print(path)
    return 0


def _docs(arguments: argparse.Namespace, _rest: list[str]) -> int:
    if arguments.what == "lint":
        from pytest_aibackend.reporting.lint_catalogue import render
    elif arguments.what == "changes":
        from pytest_aibackend.diff.documentation import render
    elif arguments.what == "schema":
        from pytest_aibackend.sources.documentation import render
    else:
        from pytest_aibackend.reporting.catalogue import render

    print(render(), end="")
    return 0

"""`aibackend serve`: run the gateway of a configuration directory, under the supervisor of `serving`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pytest_aibackend.sources.backend import Backend, load_backend

__all__ = ["ServeOptions", "serve", "serving_command"]

USAGE: Final = 2
LOCALHOST: Final = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeOptions:
    """What the command line says beyond the configuration; None: as configured."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    pidfile: Path | None = None
    grace_s: int = 30
    keep_alive_s: int = 75
    arguments: tuple[str, ...] = ()  # for LiteLLM


class ServeError(ValueError):
    """The gateway cannot be run like this; the text says why."""


def serve(config_dir: Path, options: ServeOptions) -> int:
    """Become the gateway's supervisor; returns only if that is impossible: 2, with the reason printed."""
    from pytest_aibackend.deploy.canary.client import find_litellm

    if not config_dir.is_dir():
        return _say(f"there is no directory {config_dir}; name it with --config DIR")
    backend = load_backend(config_dir)
    findings = backend.load_findings("gateway")
    if findings:
        return _say("\n".join(str(finding) for finding in findings))
    python = find_litellm(backend.gateway.deploy.python)
    if python is None:
        return _say(
            "LiteLLM is not installed for "
            + (backend.gateway.deploy.python or "this Python")
            + "\n  hint: pip install 'litellm[proxy]', or name its interpreter in deploy.python"
        )
    try:
        command = serving_command(backend, options, python)
    except ServeError as error:
        return _say(str(error))
    environment = dict(os.environ)
    if Path(python).absolute() != Path(sys.executable).absolute():
        package = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [environment.get("PYTHONPATH"), package]))
    sys.stdout.flush()
    try:
        os.execve(python, command, environment)  # noqa: S606 - no shell is wanted: this process becomes it
    except OSError as error:
        return _say(f"{python} cannot be run: {error.strerror}")


def serving_command(backend: Backend, options: ServeOptions, python: str) -> list[str]:
    """Return the supervisor's command line; raises ServeError where the configuration lacks something."""
    deploy = backend.gateway.deploy
    try:
        url = urlsplit(deploy.url)
        host, port = url.hostname or LOCALHOST, options.port or url.port
    except ValueError as error:
        raise ServeError(f"deploy.url: {error}") from error
    if port is None:
        raise ServeError("deploy.url names no port; write it there, or give --port N")
    pidfile = options.pidfile
    if pidfile is None and deploy.service.kind == "pidfile" and deploy.service.pidfile:
        pidfile = backend.resolve(deploy.service.pidfile)
    command = [python, "-m", "pytest_aibackend.serving"]
    command += ["--file", str(backend.resolve(deploy.path).absolute())]
    command += ["--state", str(backend.resolve(deploy.state_dir).absolute())]
    command += ["--host", options.host or _bindable(host), "--port", str(port)]
    command += ["--workers", str(options.workers or deploy.workers)]
    command += ["--grace", str(options.grace_s), "--keep-alive", str(options.keep_alive_s)]
    if pidfile is not None:
        command += ["--pidfile", str(pidfile.absolute())]
    return [*command, "--", *options.arguments] if options.arguments else command


def _bindable(host: str) -> str:
    """Return the address to listen on: that of the URL if it is an address, else this machine alone.

    A name such as gateway.example.org may lead to a machine in front of this one: only `--host` can say.
    """
    import ipaddress

    if host == "localhost":
        return LOCALHOST
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return LOCALHOST


def _say(text: str) -> int:
    print(f"aibackend serve: {text}", file=sys.stderr)
    return USAGE

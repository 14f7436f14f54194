"""`aibackend generate`: write the gateway's file from the sources, or say how it differs."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from pytest_aibackend.findings import Finding, Problem, Severity, sort_findings
from pytest_aibackend.litellm.generate import SOURCE_ROLES, FileState, examine, render, unified_diff
from pytest_aibackend.litellm.literal_secrets import literal_secrets, urls_with_credentials
from pytest_aibackend.litellm.plan import PROBLEM_SEVERITIES, GatewayPlan, plan_gateway
from pytest_aibackend.sources.backend import Backend, load_backend

__all__ = ["OK", "REFUSED", "USAGE", "generate", "write_atomically"]

OK: Final = 0
REFUSED: Final = 1
USAGE: Final = 2


def generate(config_dir: Path, *, check: bool, output: Path | str | None) -> int:
    """Render the gateway's file and write it, print it (`output` is "-"), or compare it (`check`).

    Return 0 when it is written or unchanged, 1 when `check` finds a difference or the sources have errors,
    2 when a path cannot be used.
    """
    if not config_dir.is_dir():
        return _say(f"there is no directory {config_dir}; name it with --config DIR", USAGE)
    backend = load_backend(config_dir)
    broken = source_errors(backend)
    if broken:
        for finding in broken:
            _print(finding)
        noun = "error" if len(broken) == 1 else "errors"
        return _say(f"nothing was generated: the sources have {len(broken)} {noun}", REFUSED)
    plan = plan_gateway(backend)
    for finding in plan_findings(backend, plan):
        _print(finding)
    if str(output) == "-" and not check:
        sys.stdout.write(render(backend, plan))
        return OK
    target = backend.sources["generated"].path if output is None or str(output) == "-" else Path(output)
    return _compare(backend, plan, target) if check else _write(render(backend, plan), target)


def source_errors(backend: Backend) -> list[Finding]:
    """Return the errors of the sources: parts of the file would be missing, or a secret would be in it."""
    found = []
    for role in SOURCE_ROLES:
        source = backend.sources[role]
        problems = [*source.problems, *(source.checked.problems if source.checked else ())]
        found += [backend.finding(rule, Severity.ERROR, problem) for rule, problem in problems]
    found += [
        backend.finding("literal-secret", Severity.ERROR, problem) for problem in literal_secrets(backend)
    ]
    for name in urls_with_credentials(backend):
        problem = Problem(
            source="providers",
            path=("providers", name, "base_url"),
            message=f"the URL of provider {name!r} carries credentials",
            hint="remove them, change the password, and name an environment variable in env_var",
            subject=name,
        )
        found.append(backend.finding("credentials-in-url", Severity.ERROR, problem))
    return sort_findings(finding for finding in found if finding.severity is Severity.ERROR)


def plan_findings(backend: Backend, plan: GatewayPlan) -> list[Finding]:
    """Return what could not be planned as it was meant, with its place."""
    found = [backend.finding(rule, PROBLEM_SEVERITIES[rule], problem) for rule, problem in plan.problems]
    return sort_findings(finding for finding in found if not backend.is_ignored(finding))


def write_atomically(path: Path, raw: bytes, *, temporary: Path | None = None) -> None:
    """Replace a file at once: a reader sees the old bytes or the new ones; a symbolic link is followed.

    Mode and extended attributes (access control lists among them) are kept, and the owner where that may
    be. `temporary`, beside the file and not there yet, is where the bytes are written first; without it, a
    name of no meaning.
    What is no regular file, as /dev/stdout or a pipe, is written to, and stays what it is.
    Raises OSError when it cannot be done; the old file is untouched then.
    """
    old = path.stat() if path.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        with path.open("wb") as there:
            there.write(raw)
        return
    path = path.resolve()
    if temporary is None:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    else:
        name = str(temporary)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            _keep_owner_and_mode(path, old, descriptor)
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _keep_owner_and_mode(path: Path, old: os.stat_result | None, descriptor: int) -> None:
    if old is None:
        os.fchmod(descriptor, 0o644)  # no secret is in it, and the gateway may run as another user
        return
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:
            if not old.st_mode & stat.S_IROTH:
                raise  # who could read it, the gateway perhaps, could not any more
    if hasattr(os, "listxattr"):  # pragma: no branch - macOS has no such call
        with contextlib.suppress(OSError):  # not every file system has them, nor may everybody set each
            for attribute in os.listxattr(path):
                os.setxattr(descriptor, attribute, os.getxattr(path, attribute))
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _compare(backend: Backend, plan: GatewayPlan, target: Path) -> int:
    try:
        text = target.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        sys.stdout.write(unified_diff("", render(backend, plan), str(target)))
        return _say(f"{target} does not exist", REFUSED)
    except OSError as error:
        return _say(f"{target} cannot be read: {error.strerror}", USAGE)
    seen = examine(text, backend, plan)
    if seen.state is FileState.CURRENT:
        return OK
    sys.stdout.write(seen.diff)
    reasons = {
        FileState.STALE: f"{target} is not what the sources give"
        + (f" ({', '.join(seen.changed_sources)} changed)" if seen.changed_sources else ""),
        FileState.EDITED: f"{target} was edited by hand",
        FileState.UNMARKED: f"{target} was not generated: it has no marker",
        FileState.FOREIGN: f"{target} was generated by something else",
    }
    return _say(reasons[seen.state], REFUSED)


def _write(text: str, target: Path) -> int:
    if target.is_dir():
        return _say(f"{target} is a directory; name a file", USAGE)
    try:
        if target.exists() and target.read_bytes() == text.encode("utf-8"):
            return _say(f"{target} is unchanged", OK)
        write_atomically(target, text.encode("utf-8"))
    except OSError as error:
        return _say(f"{target} cannot be written: {error.strerror}", USAGE)
    return _say(f"{target} written", OK)


def _print(finding: Finding) -> None:
    print(finding, file=sys.stderr)
    print(f"  hint: {finding.hint}", file=sys.stderr)


def _say(text: str, status: int) -> int:
    print(f"aibackend generate: {text}" if status else text, file=sys.stderr)
    return status

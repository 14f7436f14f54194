"""What is to be deployed: generated from the sources, or read from a backup; and how it differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pytest_aibackend.deploy.backups.files import BackupError, read_backup
from pytest_aibackend.deploy.console import Console
from pytest_aibackend.deploy.report import Outcome, StopRun
from pytest_aibackend.deploy.site import Site
from pytest_aibackend.diff.compare import compare
from pytest_aibackend.diff.formats import NO_CHANGE
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.litellm.command import source_errors
from pytest_aibackend.litellm.generate import body_of, render, unified_diff
from pytest_aibackend.litellm.plan import plan_gateway
from pytest_aibackend.litellm.served import expected_groups
from pytest_aibackend.sources import yaml_text

__all__ = ["STAGED_NAME", "generate_candidate", "restore_candidate", "show_difference"]

STAGED_NAME: Final = "litellm-unified.yaml"
_NAMED: Final = 10


def generate_candidate(site: Site, show: Console) -> bytes:
    """Render the gateway's file; raises StopRun, findings shown, where the sources do not give one."""
    broken = source_errors(site.backend)
    with show.step("generate") as step:
        if broken:
            noun = "error" if len(broken) == 1 else "errors"
            reason = f"the sources have {len(broken)} {noun}; nothing was generated"
            step.failed(reason)
        else:
            raw = render(site.backend, plan_gateway(site.backend)).encode("utf-8")
            step.passed(f"{len(raw):,} bytes")
            return raw
    for finding in broken:
        show.finding(finding)
    raise StopRun(Outcome.REFUSED, reason, "aibackend check shows everything")


def restore_candidate(site: Site, name: str, show: Console) -> bytes:
    """Return the bytes of a backup; raises StopRun where it is not there or not whole."""
    with show.step("read") as step:
        try:
            raw = read_backup(site.backup_dir, name)
        except BackupError as error:
            is_there = (site.backup_dir / Path(name).name).is_file()
            outcome = Outcome.REFUSED if is_there else Outcome.UNUSABLE
            raise StopRun(outcome, str(error), "aibackend backups list") from error
        step.passed(f"{name} is whole")
    return raw


def show_difference(site: Site, old: bytes | None, new: bytes, show: Console) -> None:
    """Show what changes, secrets hidden: what it means, the lines, how many, and the model groups."""
    before, after = _data(old), _data(new)
    _show_meaning(before, after, show)
    texts = _text(old), _text(new)
    bodies = body_of(texts[0]), body_of(texts[1])
    # The hashes in the header change with every change, and say nothing to a person.
    shown = texts if bodies[0] == bodies[1] else bodies
    diff = unified_diff(*shown, site.target.name, "candidate")
    changed = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    show.report.added = sum(line.startswith("+") for line in changed)
    show.report.removed = sum(line.startswith("-") for line in changed)
    show.diff(diff)
    was, now = _groups(before), _groups(after)
    changes = [*(f"+{name}" for name in sorted(now - was)), *(f"-{name}" for name in sorted(was - now))]
    more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    groups = f"; model groups: {', '.join(changes[:_NAMED])}{more}" if changes else "; the same model groups"
    show.say(f"{'change':<9} +{show.report.added} -{show.report.removed} lines{groups}")


def _show_meaning(old: Any, new: Any, show: Console) -> None:
    """Show what the change means, as `aibackend diff` says it; nothing where the old file says nothing."""
    if isinstance(old, dict) and isinstance(new, dict):
        changes = compare(Meaning(document=old), Meaning(document=new))
        show.meaning(changes)
        if not changes:
            show.say(NO_CHANGE)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", errors="replace")


def _data(raw: bytes | None) -> Any:
    document, _ = yaml_text.parse(raw or b"")
    return document.data if document is not None else None


def _groups(data: Any) -> set[str]:
    groups = expected_groups(data)
    return set(groups.names) if groups else set()

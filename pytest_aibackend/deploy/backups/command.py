"""`aibackend backups`: list, verify, rotate and restore what the reloads have kept."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_aibackend.deploy.backups.files import BackupError, rotate
from pytest_aibackend.deploy.backups.view import (
    count,
    print_findings,
    print_json,
    print_list,
    print_plan,
    print_table,
    state_of,
)
from pytest_aibackend.findings import Finding, suggest
from pytest_aibackend.rules.backups import backup_findings
from pytest_aibackend.sources.backend import Backend, load_backend
from pytest_aibackend.sources.backups import (
    Backup,
    BackupTrouble,
    backup_time,
    keep_newest_good,
    plan_retention,
    read_backups,
)
from pytest_aibackend.sources.models import Retention

__all__ = ["run"]


class _Refused(Exception):  # noqa: N818 # it ends in a sentence, not in a traceback
    """Nothing can be done as asked; says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    directory: Path
    deployed: Path
    retention: Retention


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; return 0 done, 1 a trouble, 2 wrong usage or nothing to do it on.

    `restore` is a reload and returns what that returns.
    """
    actions = {
        "list": _list,
        "verify": _verify,
        "rotate": _rotate,
        "restore": _restore,
        "rehearse": _rehearse,
    }
    try:
        return actions[arguments.action](_open(arguments.config), arguments)
    except (_Refused, BackupError) as error:
        print(f"aibackend backups: {error}", file=sys.stderr)
        return 2


def _open(config_dir: Path) -> _Place:
    if not config_dir.is_dir():
        raise _Refused(f"there is no configuration directory {config_dir}; name it with --config DIR")
    backend = load_backend(config_dir)
    unsound = _unsound(backend)
    if unsound:
        raise _Refused("\n".join(f"{each}\n  hint: {each.hint}" for each in unsound))
    deploy = backend.gateway.deploy
    return _Place(
        directory=backend.resolve(deploy.backup_dir),
        deployed=backend.resolve(deploy.path),
        retention=deploy.retention,
    )


def _unsound(backend: Backend) -> list[Finding]:
    """Return what is wrong with the deploy section: its defaults would name other backups than the user's."""
    source = backend.sources["gateway"]
    if not source.is_loaded:
        return backend.load_findings("gateway")
    problems = source.checked.problems if source.checked else ()
    found = zip(problems, backend.schema_findings("gateway"), strict=True)
    return [each for (_rule, problem), each in found if problem.path[:1] in {(), ("deploy",)}]


def _read(place: _Place) -> list[Backup]:
    """Return the backups, the newest first, those that are misnamed last."""
    backups = read_backups(place.directory)
    if isinstance(backups, BackupTrouble):
        raise _Refused(f"{backups.message}; {backups.hint}")
    old = dt.datetime.min.replace(tzinfo=dt.UTC), 0
    return sorted(backups, key=lambda each: (backup_time(each.name) or old, each.name), reverse=True)


def _pick(place: _Place, backups: Sequence[Backup], name: str) -> Backup:
    if Path(name).name != name:
        raise _Refused(f"{name!r} is no file name; name a backup of {place.directory} without its directory")
    for each in backups:
        if each.name == name:
            return each
    if not backups:
        raise _Refused(_none_in(place))
    meant = suggest(name, [each.name for each in backups])
    ask = f"did you mean {meant}?" if meant else "`aibackend backups list` shows those there are"
    raise _Refused(f"there is no backup {name} in {place.directory}; {ask}")


def _none_in(place: _Place) -> str:
    return f"there is no backup in {place.directory} yet; the first reload makes one"


# -- list


def _list(place: _Place, arguments: argparse.Namespace) -> int:
    backups = _read(place)
    now = dt.datetime.now(dt.UTC)
    good = {each.name for each in backups if each.is_good}
    plan = plan_retention([each.name for each in backups], now, place.retention)
    reasons = {each.name: each.reasons for each in keep_newest_good(plan, good.__contains__)}
    deployed = _bytes_of(place.deployed)
    rows = [_row(each, now, reasons.get(each.name), deployed) for each in backups]
    if arguments.json:
        print_json(place.directory, place.retention, backups=rows)
    elif not rows:
        print(_none_in(place))
    else:
        print_list(rows, place.directory, place.retention)
        print_findings(backup_findings(backups))
    return 0


def _row(
    backup: Backup, now: dt.datetime, reasons: tuple[str, ...] | None, deployed: bytes | None
) -> dict[str, Any]:
    made = backup_time(backup.name)
    raw = _bytes_of(backup.path)
    return {
        "name": backup.name,
        "made": made[0].isoformat() if made else None,
        "age_s": round((now - made[0]).total_seconds()) if made else None,
        "size": None if raw is None else len(raw),
        "state": state_of(backup),
        "kept_because": list(reasons or ()),
        "surplus": reasons == (),  # the next rotation deletes it
        "deployed": raw is not None and raw == deployed,
        "findings": [each.as_dict() for each in backup_findings([backup])],
    }


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


# -- verify


def _verify(place: _Place, arguments: argparse.Namespace) -> int:
    if arguments.all and arguments.name:
        raise _Refused("verify takes a NAME or --all, not both")
    backups = _read(place)
    chosen = [_pick(place, backups, arguments.name)] if arguments.name else backups
    if not chosen:
        raise _Refused(_none_in(place))
    if not arguments.all:
        chosen = chosen[:1]
    bad = [each for each in chosen if not each.is_good]
    if arguments.json:
        rows = [
            {
                "name": each.name,
                "state": state_of(each),
                "findings": [finding.as_dict() for finding in backup_findings([each])],
            }
            for each in chosen
        ]
        summary = {"verified": len(chosen), "good": len(chosen) - len(bad), "bad": len(bad)}
        print_json(place.directory, place.retention, summary=summary, backups=rows)
    else:
        print_table(("backup (UTC)", "state"), [(each.name, state_of(each)) for each in chosen])
        print_findings(backup_findings(chosen))
        print(f"{len(chosen) - len(bad)} of {count(len(chosen))} can be restored")
    return 1 if bad else 0


# -- rotate


def _rotate(place: _Place, arguments: argparse.Namespace) -> int:
    dry_run: bool = arguments.dry_run
    plan = rotate(place.directory, place.retention, dt.datetime.now(dt.UTC), dry_run=dry_run)
    if arguments.json:
        print_json(
            place.directory,
            place.retention,
            dry_run=dry_run,
            kept=[{"name": each.name, "reasons": list(each.reasons)} for each in plan if each.reasons],
            deleted=[each.name for each in plan if not each.reasons and not each.trouble],
            not_deleted=[{"name": each.name, "reason": each.trouble} for each in plan if each.trouble],
        )
    elif not plan:
        print(_none_in(place))
    else:
        print_plan(plan, place.directory, place.retention, dry_run=dry_run)
    stuck = [each for each in plan if each.trouble]
    for each in stuck:
        print(f"aibackend backups: {each.name} could not be deleted: {each.trouble}", file=sys.stderr)
    return 1 if stuck else 0


def _rehearse(place: _Place, _arguments: argparse.Namespace) -> int:
    from pytest_aibackend.deploy.backups.rehearsal import rehearse

    return rehearse(place.retention)


# -- restore


def _restore(place: _Place, arguments: argparse.Namespace) -> int:
    backup = _pick(place, _read(place), arguments.name)
    from pytest_aibackend.deploy.pipeline import Request
    from pytest_aibackend.deploy.pipeline import run as reload

    return reload(Request.of(arguments, restore=backup.name))

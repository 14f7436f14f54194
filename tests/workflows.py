"""The workflows as data, and a way to run what they run: `python -m tests.workflows validate-config`.

That clones the repository's newest commit into a scratch directory, and runs each `run:` step there as a
runner would: job after job as they need one another, with bash -e and GITHUB_* set. Actions are left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / ".github" / "workflows"
NAMES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.yml")))


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a job: an action that is used, or a command that is run."""

    job: str
    name: str
    uses: str | None
    run: str | None
    env: dict[str, str]


def load(name: str) -> dict[str, Any]:
    """Return a workflow as YAML 1.2 reads it: its key `on` is a word."""
    document = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return {"on" if key is True else key: value for key, value in document.items()}


def needs(name: str) -> dict[str, list[str]]:
    """Return for each job those that have to be done before it."""
    return {job: list(body.get("needs", [])) for job, body in load(name)["jobs"].items()}


def steps(name: str) -> Iterator[Step]:
    """Yield the steps of all jobs, in an order in which they can be run."""
    jobs = load(name)["jobs"]
    for job in TopologicalSorter(needs(name)).static_order():
        for step in jobs[job]["steps"]:
            yield Step(
                job=job,
                name=step.get("name", ""),
                uses=step.get("uses"),
                run=step.get("run"),
                env={key: str(value) for key, value in step.get("env", {}).items()},
            )


def run_steps(
    name: str, clone: Path, summary: Path, *, without: tuple[str, ...], given: dict[str, str]
) -> bool:
    """Run the commands of a workflow in a clone; return whether all went well."""
    runner = {"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    good = True
    for step in steps(name):
        if step.run is None or step.job in without:
            continue
        print(f"\n#### {step.job}: {step.name}\n$ {step.run}", flush=True)
        environment = {**os.environ, **runner, **{key: given.get(key, "") for key in step.env}}
        begun = time.monotonic()
        done = subprocess.run(
            ["bash", "-e", "-c", step.run], cwd=clone, env=environment, stdin=subprocess.DEVNULL, check=False
        )
        good &= done.returncode == 0
        print(f"#### ended with {done.returncode} after {time.monotonic() - begun:.1f} s", flush=True)
    if summary.exists():
        print(f"\n#### the summary of the run\n{summary.read_text(encoding='utf-8')}")
    return good


def main() -> int:
    """Run one workflow's commands in a clean clone."""
    parser = argparse.ArgumentParser(description="Run the commands of a workflow in a clean clone.")
    parser.add_argument("workflow", choices=NAMES)
    parser.add_argument("--without", action="append", default=[], metavar="JOB", help="leave this job out")
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what an expression of a step's env would give; empty without it",
    )
    parser.add_argument("--into", type=Path, metavar="DIR", help="a clone that is there, for a second run")
    options = parser.parse_args()
    given = dict(pair.split("=", 1) for pair in options.env)
    with tempfile.TemporaryDirectory(prefix="workflow-") as scratch:
        clone = options.into or Path(scratch) / "clone"
        if not options.into:
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        summary = Path(scratch) / "summary.md"
        good = run_steps(options.workflow, clone, summary, without=tuple(options.without), given=given)
    print(f"{options.workflow}: {'every command ended with 0' if good else 'a command failed'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

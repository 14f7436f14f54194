"""What a run costs, against baselines of the same run: a table; exit status 1 when a budget is exceeded.

Runs that wait for nobody are compared by their processor time, the least of several rounds: what else the
machine does would blur the clock. Where services are asked, the clock counts.

Usage: python benchmarks/run.py [--quick] [plugin|shipped|fleet|lint|growth|live|reload ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from configs import write_config
from endpoints import endpoints
from fleet import MODELS_EACH, write_endpoints, write_fleet
from measure import Run, bare, run_pytest, run_python, write_no_ops
from reloads import running_stack, time_reloads

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Row:
    what: str
    figure: str
    budget: str
    kept: bool


def plugin_cost(work: Path, rounds: int) -> list[Row]:
    """An unrelated run with our plugin loaded against the same run with it blocked, taken in turns."""
    folder = write_no_ops(work / "unrelated", 20)
    run_pytest([], folder)  # the first run compiles
    bare(folder)
    pairs = [(run_pytest([], folder).cpu_s, bare(folder).cpu_s) for _ in range(rounds)]
    blocked = min(blocked for _, blocked in pairs)
    cost_ms = 1000 * (min(ours for ours, _ in pairs) - blocked)
    return [
        Row(
            what="plugin in an unrelated run",
            figure=f"{cost_ms:.1f} ms over {1000 * blocked:.0f} ms blocked",
            budget="10 ms",
            kept=cost_ms <= 10,
        )
    ]


def shipped(work: Path, rounds: int) -> list[Row]:
    """The checks on the shipped configuration against as many tests that do nothing."""
    first = run_pytest(["checks/"], ROOT)
    folder = write_no_ops(work / "as-many", _tests_of(first))
    bare(folder)
    pairs = [(run_pytest(["checks/"], ROOT).cpu_s, bare(folder).cpu_s) for _ in range(rounds)]
    ours, nothing = min(ours for ours, _ in pairs), min(nothing for _, nothing in pairs)
    return [
        Row(
            what=f"pytest checks/, {first.tests} tests",
            figure=f"{ours / nothing:.2f} times ({ours:.2f} s against {nothing:.2f} s)",
            budget="1.3 times",
            kept=ours <= 1.3 * nothing,
        )
    ]


def fleet(work: Path, rounds: int) -> list[Row]:
    """Fleets of growing size: time for each model, memory, and the ratio to tests that do nothing."""
    rows: list[Row] = []
    smallest: float | None = None
    for models in (1_000, 2_000, 4_000, 10_000):
        folder = write_fleet(work / f"fleet-{models}", models // MODELS_EACH)
        subprocess.run(
            [sys.executable, "-m", "pytest_aibackend.cli", "generate", "--config", str(folder)],
            check=True,
            capture_output=True,
        )
        arguments = ["checks/", f"--aibackend-config={folder}"]
        runs = [run_pytest(arguments, ROOT) for _ in range(max(1, rounds // 5))]
        tests = _tests_of(runs[0])
        cpu_s = min(run.cpu_s for run in runs)
        peak_mib = max(run.peak_mib for run in runs)
        as_many = write_no_ops(work / f"as-many-{models}", tests)
        nothing_s = min(bare(as_many).cpu_s for _ in runs)
        cost_ms = 1000 * (cpu_s - nothing_s) / models
        smallest = cost_ms if smallest is None else smallest
        is_last = models == 10_000
        is_linear = cost_ms <= 1.5 * smallest
        rows.append(
            Row(
                what=f"{models // MODELS_EACH:,} providers, {models:,} models, {tests:,} tests",
                figure=(
                    f"{cpu_s / nothing_s:.2f} times ({cpu_s:.2f} s against {nothing_s:.2f} s), "
                    f"{peak_mib:.0f} MiB, {cost_ms:.2f} ms a model"
                ),
                budget="1.5 times, 1 GiB, linear" if is_last else "",
                kept=not is_last or (cpu_s <= 1.5 * nothing_s and peak_mib < 1024 and is_linear),
            )
        )
    return rows


def lint(work: Path, rounds: int) -> list[Row]:
    """`aibackend lint` on configs of growing size, against a Python that parses the same YAML."""
    rows: list[Row] = []
    each_ms: dict[int, float] = {}
    run_python(["-m", "pytest_aibackend.cli", "lint", str(write_config(work / "first.yaml", 10))], work)
    for models in (300, 1_000, 10_000):
        config = write_config(work / f"models-{models}.yaml", models)
        parsing = ["-c", "import sys, yaml; yaml.load(open(sys.argv[1]), yaml.CSafeLoader)", str(config)]
        linting = ["-m", "pytest_aibackend.cli", "lint", str(config)]
        pairs = [(run_python(linting, work), run_python(parsing, work)) for _ in range(max(2, rounds // 3))]
        if any("no findings" not in ours.output or ours.status for ours, _ in pairs):
            raise SystemExit(f"benchmarks: the run to be measured went wrong:\n{pairs[0][0].output[-3000:]}")
        ours, yaml = (min(run.cpu_s for run in runs) for runs in zip(*pairs, strict=True))
        each_ms[models] = 1000 * ours / models
        ratio = f"{ours / yaml:.1f} times ({ours:.2f} s against {yaml:.2f} s)"
        rows.append(Row(what=f"aibackend lint, {models:,} models", figure=ratio, budget="", kept=True))
    few, many = each_ms[1_000], each_ms[10_000]
    first, last = rows[0], rows[-1]
    seconds = each_ms[300] * 300 / 1000
    rows[0] = replace(first, budget="1 s", kept=seconds <= 1)
    figure = f"{last.figure}, {many:.2f} ms a model, of 1,000 {few:.2f}"
    rows[-1] = replace(last, figure=figure, budget="linear", kept=many <= 1.1 * few)
    return rows


def growth(work: Path, rounds: int) -> list[Row]:
    """The other commands that read or write a whole configuration: eight times as much against once."""
    few, many = 1_000, 8_000
    aibackend = ["-m", "pytest_aibackend.cli"]
    costs: dict[str, dict[int, float]] = {}
    for models in (10, few, many):  # the first compiles
        fleet = write_fleet(work / f"growth-{models}", models // MODELS_EACH)
        config = write_config(work / f"growth-{models}.yaml", models)
        changed = work / f"growth-{models}-changed.yaml"
        changed.write_text(
            config.read_text(encoding="utf-8").replace("rpm: 100", "rpm: 50"), encoding="utf-8"
        )
        for number in range(max(1, rounds // 5)):
            output = str(work / f"growth-{models}-{number}")
            commands = {
                "generate": ["--config", str(fleet)],
                "graph": ["--config", str(fleet), "--format", "html"],
                "diff": [str(config), str(changed)],
                "import": [str(config), "--output", output],
            }
            for command, arguments in commands.items():
                run = run_python([*aibackend, command, *arguments], work)
                if run.status:
                    raise SystemExit(f"benchmarks: the run to be measured went wrong:\n{run.output[-3000:]}")
                cost = costs.setdefault(command, {})
                cost[models] = min(run.cpu_s, cost.get(models, run.cpu_s))
    return [
        Row(
            what=f"aibackend {command}, {many:,} models",
            figure=(
                f"{cost[many] / cost[few]:.1f} times as long as {few:,} "
                f"({cost[many]:.2f} s against {cost[few]:.2f} s)"
            ),
            budget="linear",
            kept=cost[many] <= 1.3 * many / few * cost[few],
        )
        for command, cost in costs.items()
    ]


def live(work: Path, rounds: int) -> list[Row]:
    """500 endpoints, half of them dead: the time over the same run without asking anybody."""
    with endpoints(alive=250, silent=125, refusing=125) as ports:
        folder = write_endpoints(work / "endpoints", ports)
        arguments = [
            "checks/test_07_provider_health.py",
            f"--aibackend-config={folder}",
            f"--aibackend-timeout={TIMEOUT_S}",
        ]
        offline = min(run_pytest(arguments, ROOT).seconds for _ in range(max(1, rounds // 5)))
        asked = run_pytest([*arguments, "--live"], ROOT)
    over = asked.seconds - offline
    told = asked.output.strip().splitlines()[-1].strip("= ")
    return [
        Row(
            what=f"500 endpoints, 250 dead, {_tests_of(asked)} tests",
            figure=f"{over:.2f} s over offline, timeout {TIMEOUT_S:.0f} s ({told})",
            budget="timeout + 1 s",
            kept=over <= TIMEOUT_S + 1,
        )
    ]


def reload(work: Path, rounds: int) -> list[Row]:
    """A reload of the embedded stack under no load, over what its gateway takes by itself."""
    with running_stack(work / "embedded") as folder:
        seconds, alone = time_reloads(folder, max(3, rounds // 3))
    return [
        Row(
            what="reload without canary, 2 workers",
            figure=f"{seconds:.2f} s, the gateway by itself {alone:.2f} s",
            budget="the gateway's own time + 2 s",
            kept=seconds <= alone + 2,
        )
    ]


def _tests_of(run: Run) -> int:
    if run.tests == 0 or run.status not in (0, 1):
        raise SystemExit(f"benchmarks: the run to be measured went wrong:\n{run.output[-3000:]}")
    return run.tests


def _print(rows: list[Row]) -> None:
    width = max(len(row.what) for row in rows)
    for row in rows:
        verdict = f"[{row.budget}: {'kept' if row.kept else 'EXCEEDED'}]" if row.budget else ""
        print(f"{row.what:<{width}}  {row.figure}  {verdict}".rstrip(), flush=True)


PARTS: dict[str, Callable[[Path, int], list[Row]]] = {
    "plugin": plugin_cost,
    "shipped": shipped,
    "fleet": fleet,
    "lint": lint,
    "growth": growth,
    "live": live,
    "reload": reload,
}


def main() -> int:
    """Measure, print, and say whether the budgets are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS) + "; default: all")
    parser.add_argument("--quick", action="store_true", help="few rounds: rougher figures")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="aibackend-bench-") as work:
        for name in arguments.parts or PARTS:
            print(f"measuring: {name}", file=sys.stderr)
            measured = PARTS[name](Path(work), 5 if arguments.quick else 15)
            _print(measured)
            rows += measured
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

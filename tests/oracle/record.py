"""Records what the real gateway says of the corpus: `python -m tests.oracle.record [--only PATTERN] [--new]`.

Needs LiteLLM. It is imported once for each of two hosts, then a case takes a second or two.
"""

from __future__ import annotations

import argparse
import fnmatch
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.oracle.cases import Case, load_cases, load_verdicts, save_verdicts
from tests.oracle.gateway import Host, Oracle, Verdict
from tests.oracle.standins import stand_ins

__all__ = ["main"]

LOCK = threading.Lock()


def main() -> None:
    """Record the cases asked for, and forget those that are gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="*", help="pattern of the names: 'router/*'")
    parser.add_argument("--new", action="store_true", help="only what has no verdict yet")
    parser.add_argument("--hosts", type=int, default=2)
    options = parser.parse_args()
    cases = load_cases()
    names = {case.name for case in cases}
    verdicts = {name: verdict for name, verdict in load_verdicts().items() if name in names}
    wanted: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in cases:
        if fnmatch.fnmatch(case.name, options.only) and not (options.new and case.name in verdicts):
            wanted.put(case)
    began = time.monotonic()
    with ThreadPoolExecutor(options.hosts) as pool:
        working = [pool.submit(_work, wanted, verdicts) for _ in range(min(options.hosts, wanted.qsize()))]
    for work in working:
        work.result()
    save_verdicts(verdicts)
    print(f"{len(cases)} cases, {len(verdicts)} verdicts, {time.monotonic() - began:.0f} s")


def _work(wanted: queue.SimpleQueue[Case], verdicts: dict[str, dict[str, str]]) -> None:
    with Host() as host, stand_ins() as standins:
        oracle = Oracle(host, standins)
        while True:
            try:
                case = wanted.get_nowait()
            except queue.Empty:
                return
            verdict: Verdict = oracle.judge(case)
            with LOCK:
                verdicts[case.name] = verdict.as_dict(host.version)
                save_verdicts(verdicts)
            said = f"{case.name}: {verdict.verdict} ({verdict.detail})"
            print(f"{said}; --validate_config {verdict.validate_config}", flush=True)


if __name__ == "__main__":
    main()

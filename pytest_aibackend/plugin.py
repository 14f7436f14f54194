"""The pytest plugin: options and hooks, a table of contents. What they do is in `session.py`."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_aibackend.session import CheckSession

KEY = pytest.StashKey["CheckSession"]()
MARKERS = (
    "critical: a check without which the gateway must not be deployed",
    "live: needs running services; runs only with --live",
    "aibackend(number): a test of the check with this number, one of the eleven",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare our options."""
    group = parser.getgroup("aibackend", "LLM gateway configuration checks (pytest-aibackend)")
    group.addoption("--live", action="store_true", help="run the checks that ask running services, too")
    group.addoption("--critical", action="store_true", help="run the critical checks only")
    group.addoption("--aibackend-config", metavar="DIR", help="directory of the sources (default: config)")
    group.addoption(
        "--aibackend-generated", metavar="FILE", help="check this gateway file, not the one in DIR"
    )
    group.addoption("--aibackend-strict", action="store_true", help="warnings fail")
    group.addoption(
        "--aibackend-timeout",
        metavar="SECONDS",
        type=float,
        default=5.0,
        help="for each live probe (default: 5)",
    )
    group.addoption(
        "--aibackend-completions",
        action="store_true",
        help="ask the gateway for one tiny completion per model group (runs models, may cost money)",
    )
    parser.addini(
        "aibackend_config", "directory of the sources, relative to the root directory", default="config"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register our markers, so that strict runs know them."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    # pytest rewrites the assertions of every plugin package, module by module. Ours needs no rewriting, and
    # without it they are imported in a third of the time. The attribute is private; where it is gone, slower.
    getattr(config.pluginmanager.rewrite_hook, "_must_rewrite", set()).discard("pytest_aibackend")
    given = config.getoption("--aibackend-config")
    if given is not None and not Path(given).is_dir():
        raise pytest.UsageError(f"--aibackend-config: there is no directory {given}")


def session_of(config: pytest.Config) -> CheckSession:
    """Return the session object, made when the first check is seen."""
    if KEY not in config.stash:
        from pytest_aibackend.session import CheckSession

        config.stash[KEY] = CheckSession(config)
    return config.stash[KEY]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise a check's test over its subjects."""
    if "assert_clean" in metafunc.fixturenames and metafunc.definition.get_closest_marker("aibackend"):
        session = session_of(metafunc.config)
        try:
            session.parametrize(metafunc)
        except Exception:
            session.internal_error = True  # a bug of ours must not look like a finding
            raise


@pytest.fixture
def assert_clean(request: pytest.FixtureRequest) -> Any:
    """Fail with the findings about a subject, if there are errors among them."""
    return session_of(request.config).assertion(request)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Label our items, skip the live ones unless asked, deselect what is not critical if asked."""
    if KEY in config.stash:
        config.stash[KEY].label(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what was selected: only that is probed."""
    if KEY in session.config.stash:
        session.config.stash[KEY].note_selected(session.items)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each xdist worker the directory where the observations of the run are shared."""
    session_of(node.config).share_with(node.workerinput)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the verdicts, here or from workers: the plain data in the report is all that crosses."""
    if report.user_properties and (config := _ACTIVE.get("config")) is not None:
        for name, value in report.user_properties:
            if name == "aibackend":
                session_of(config).record(report, str(value))
                break


# pytest_runtest_logreport is given no config; the controller's is noted at session start.
_ACTIVE: dict[str, pytest.Config] = {}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note the configuration for the hooks that are not given it."""
    _ACTIVE["config"] = session.config


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, Any] | None:
    """Give warned and blocked tests their own word and letter."""
    if report.when != "call" or not report.user_properties:
        return None
    verdict = dict(report.user_properties).get("aibackend_verdict")
    if verdict == "warned" and report.passed:
        return "warned", "W", ("WARNED", {"yellow": True})
    if verdict == "blocked" and report.failed:
        return "blocked", "B", ("BLOCKED", {"red": True})
    return None


def pytest_internalerror(excrepr: object) -> None:  # noqa: ARG001 # the hook's own name
    """Note that pytest itself broke: such a run must never look green."""
    if (config := _ACTIVE.get("config")) is not None and KEY in config.stash:
        config.stash[KEY].internal_error = True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Set the exit status that the verdicts ask for."""
    if KEY in session.config.stash:
        session.config.stash[KEY].finish(session)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    if KEY in config.stash:
        config.stash[KEY].close()
    if _ACTIVE.get("config") is config:
        del _ACTIVE["config"]


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table of the eleven checks and the warnings."""
    config = terminalreporter.config
    if KEY in config.stash and config.stash[KEY].has_results:
        from pytest_aibackend.reporting.terminal import write_summary

        write_summary(terminalreporter, config.stash[KEY])


@pytest.hookimpl(optionalhook=True)
def pytest_json_modifyreport(json_report: dict[str, Any]) -> None:
    """Add our document to pytest-json-report's."""
    config = _ACTIVE.get("config")
    if config is not None and KEY in config.stash and config.stash[KEY].has_results:
        json_report["aibackend"] = config.stash[KEY].document()

"""What a stranger gets: the wheel, the scripts, the hook for other repositories, the Makefile's promises."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
VALIDATE = ROOT / "scripts" / "validate-all-configs.sh"
PORTS = ROOT / "scripts" / "check-port-conflicts.sh"
LIBRARY = ROOT / "scripts" / "lib.sh"
SLUGS = [
    "yaml-syntax",
    "provider-schema",
    "model-mappings-schema",
    "ports-schema",
    "consistency",
    "port-conflicts",
    "provider-health",
    "gateway-health",
    "generated-config",
    "backups",
    "redis",
]


def run(
    *command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program as a shell without our settings would."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def git(*arguments: str, cwd: Path) -> None:
    """Run git, which must succeed."""
    identity = ("-c", "user.name=tester", "-c", "user.email=tester@example.org")
    done = run("git", *identity, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr


def copy_config(target: Path) -> Path:
    """Copy the shipped sources and their generated file; what lies beside them (backups, state) stays."""
    target.mkdir(parents=True)
    for source in sorted((ROOT / "config").glob("*.yaml")):
        shutil.copy2(source, target)
    return target


def break_a_route(config: Path) -> None:
    """Make the first route name a provider that does not exist."""
    mappings = config / "model-mappings.yaml"
    text = mappings.read_text(encoding="utf-8")
    assert "provider: ollama" in text
    mappings.write_text(text.replace("provider: ollama", "provider: olama", 1), encoding="utf-8")


def only_document(output: str) -> dict[str, object]:
    """Return the one JSON object that is the whole output."""
    document = json.loads(output)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources as git has them or would."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("pytest_aibackend", "checks"):
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    target = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=source)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = target.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with the wheel in it.

    The dependencies are those of this environment, seen through a .pth file: nothing is downloaded. Its own
    .pth files are not followed, so that the package is the wheel's and not the one under development.
    """
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    programs = home / "bin"
    (site_packages,) = (home / "lib").glob("python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    done = run(
        *(sys.executable, "-m", "pip", "--python", programs / "python", "install"),
        *("--no-deps", "--no-index", "--quiet", "--ignore-installed", wheel),
        cwd=home,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    where = run(programs / "python", "-c", "import pytest_aibackend as p; print(p.__file__)", cwd=home)
    assert where.stdout.startswith(str(site_packages)), where.stdout + where.stderr
    return programs


# -- the wheel


def test_wheel_carries_checks_types_and_entry_points(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
        declared = archive.read(entry_points).decode()
    checks = [name for name in names if name.startswith("pytest_aibackend/checks/test_")]
    assert len(checks) == len(SLUGS)
    assert "pytest_aibackend/py.typed" in names
    assert "[pytest11]\naibackend = pytest_aibackend.plugin" in declared
    assert "aibackend = pytest_aibackend.cli:main" in declared
    schemas = [name for name in names if name.startswith("pytest_aibackend/litellm/schema/litellm-")]
    assert len(schemas) >= 6  # three release lines, with the names of their models
    assert not [name for name in names if name.startswith(("tests/", "config/", "checks/"))]


def test_installed_wheel_checks_a_folder_with_only_a_config(installed: Path, tmp_path: Path) -> None:
    config = copy_config(tmp_path / "config")
    good = run(installed / "aibackend", "check", cwd=tmp_path)
    assert good.returncode == 0, good.stdout + good.stderr
    assert all(slug in good.stdout for slug in SLUGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config"]

    break_a_route(config)
    bad = run(installed / "aibackend", "check", cwd=tmp_path)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "config/model-mappings.yaml:" in bad.stdout
    assert "olama" in bad.stdout
    assert "Traceback" not in bad.stdout + bad.stderr


def test_installed_checks_run_by_their_package_name(installed: Path, tmp_path: Path) -> None:
    copy_config(tmp_path / "config")
    done = run(
        installed / "python",
        "-m",
        "pytest",
        "--pyargs",
        "pytest_aibackend.checks",
        "-m",
        "critical",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# -- the hook for other repositories


def hooks() -> dict[str, dict[str, Any]]:
    listed = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return {hook["id"]: hook for hook in listed}


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("litellm.yaml", True),
        ("litellm_config.yaml", True),
        ("deploy/litellm-unified.yml", True),
        ("deploy/prod-litellm.yaml", True),
        ("proxy_config.yaml", True),
        ("ops/litellm/config.yaml", True),
        ("config.yaml", False),
        ("litellm/values.yaml", False),
        ("litellm.yaml.md", False),
        ("mylitellmish.yaml", False),
    ],
)
def test_lint_hook_knows_configs_by_name(path: str, meant: bool) -> None:
    assert bool(re.search(hooks()["litellm-config-lint"]["files"], path)) == meant


def test_lint_hook_needs_nothing_of_ours(installed: Path, tmp_path: Path) -> None:
    hook = hooks()["litellm-config-lint"]
    assert hook["language"] == "python"
    assert hook.get("pass_filenames", True)
    config = tmp_path / "litellm_config.yaml"
    config.write_text(
        "model_list:\n  - model_name: a\n    litellm_params:\n      model: ollama_chat/a\n"
        "      api_base: http://127.0.0.1:11434\n"
        "general_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n"
    )
    path = {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}"}
    good = run(*shlex.split(hook["entry"]), config.name, cwd=tmp_path, environment=path)
    assert good.returncode == 0, good.stdout + good.stderr
    assert [each.name for each in tmp_path.iterdir()] == [config.name]
    config.write_text(config.read_text().replace("model_list", "models"))
    bad = run(*shlex.split(hook["entry"]), config.name, cwd=tmp_path, environment=path)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "litellm_config.yaml:1:1: error: unread-section: LiteLLM does not read 'models'" in bad.stdout


def test_hook_entry_runs_in_another_repository(installed: Path, tmp_path: Path) -> None:
    hook = hooks()["aibackend-check"]
    assert hook["language"] == "python"
    assert hook["pass_filenames"] is False
    git("init", "--quiet", cwd=tmp_path)
    config = copy_config(tmp_path / "config")
    git("add", "config", cwd=tmp_path)
    git("commit", "--quiet", "-m", "Configuration", cwd=tmp_path)
    # pre-commit runs the entry at the top of the repository with the hook's environment first on PATH.
    path = {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}"}
    good = run(*shlex.split(hook["entry"]), cwd=tmp_path, environment=path)
    assert good.returncode == 0, good.stdout + good.stderr
    untouched = run("git", "status", "--porcelain", cwd=tmp_path)
    assert untouched.stdout == ""

    break_a_route(config)
    bad = run(*shlex.split(hook["entry"]), cwd=tmp_path, environment=path)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "olama" in bad.stdout


# -- the scripts


def test_validate_script_prints_the_table_from_anywhere(tmp_path: Path) -> None:
    done = run(VALIDATE, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(slug in done.stdout for slug in SLUGS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [[], ["--critical"]], ids=["all", "critical"])
def test_validate_script_prints_one_json_object(tmp_path: Path, options: list[str]) -> None:
    done = run(VALIDATE, "--json", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    document = only_document(done.stdout)
    assert document["schema_version"] == 1
    assert document["config"] == "config"
    checks = document["checks"]
    assert isinstance(checks, list)
    assert [check["slug"] for check in checks] == SLUGS
    ran = {check["slug"] for check in checks if check["status"] in {"passed", "warned"}}
    assert {"yaml-syntax", "consistency", "generated-config"} <= ran
    if options:
        assert all(check["status"] == "skipped" for check in checks if not check["critical"])


def test_validate_script_fails_on_a_broken_configuration(tmp_path: Path) -> None:
    break_a_route(copy_config(tmp_path / "config"))
    done = run(VALIDATE, "--json", "--config", "config", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    checks = only_document(done.stdout)["checks"]
    assert isinstance(checks, list)
    (consistency,) = [check for check in checks if check["slug"] == "consistency"]
    assert consistency["status"] == "failed"
    assert any("olama" in finding["message"] for finding in consistency["findings"])


def test_port_script_prints_one_json_object(tmp_path: Path) -> None:
    done = run(PORTS, "--json", cwd=tmp_path)
    # 1 when something else of this machine listens on a port of the shipped registry.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    only_document(done.stdout)


def test_port_script_shows_the_registered_ports(tmp_path: Path) -> None:
    done = run(PORTS, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert all(port in done.stdout for port in ("4000", "6379", "8000", "8001", "8080", "11434"))
    one = run(PORTS, "--port", "6379", cwd=tmp_path)
    assert "6379" in one.stdout
    assert "11434" not in one.stdout


@pytest.mark.parametrize("script", [VALIDATE, PORTS], ids=["validate", "ports"])
def test_script_help_and_wrong_usage(script: Path, tmp_path: Path) -> None:
    told = run(script, "--help", cwd=tmp_path)
    assert told.returncode == 0
    assert told.stdout.startswith(f"usage: {script.name}")
    for wrong in (["--bogus"], ["stray"], ["--config"], ["--config", "missing"]):
        refused = run(script, *wrong, cwd=tmp_path)
        assert refused.returncode == 2, (wrong, refused.stdout, refused.stderr)
        assert refused.stdout == ""
        assert refused.stderr != ""


@pytest.mark.parametrize("script", [VALIDATE, PORTS], ids=["validate", "ports"])
def test_script_says_that_the_tool_is_missing(script: Path, tmp_path: Path) -> None:
    scripts = tmp_path / "repository" / "scripts"
    scripts.mkdir(parents=True)
    for each in (script, LIBRARY):
        shutil.copy2(each, scripts)
    bare = {"PATH": "/usr/bin:/bin"}
    if shutil.which("aibackend", path=bare["PATH"]):
        pytest.skip("aibackend is installed for all users here")
    done = run(scripts / script.name, cwd=tmp_path, environment=bare)
    assert done.returncode == 2
    assert "aibackend is not installed" in done.stderr
    assert "make check" in done.stderr


def test_script_finds_the_tool_on_the_path(installed: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "scripts").mkdir(parents=True)
    for each in (VALIDATE, LIBRARY):
        shutil.copy2(each, repository / "scripts")
    copy_config(repository / "config")
    # Called through a link, as from a folder of one's own programs.
    link = tmp_path / "validate"
    link.symlink_to(repository / "scripts" / VALIDATE.name)
    path = {"PATH": f"{installed}{os.pathsep}/usr/bin:/bin"}
    done = run(link, "--critical", cwd=tmp_path, environment=path)
    assert done.returncode == 0, done.stdout + done.stderr


# -- what is committed


def test_constraints_are_plain_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert all(line.count("==") == 1 and " " not in line and "/" not in line for line in pins)


def test_ci_runs_lint_and_test_and_nothing_else() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make lint", "make test"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_python_dependencies_of_the_tools_are_pinned() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["stack"],
        *project["dependency-groups"]["dev"],
    ]
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if "==" in line:
            name, _, version = line.partition("==")
            pins[canonicalize_name(name)] = version
    for text in wanted:
        requirement = Requirement(text)
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} has no pin in constraints.txt"
        assert requirement.specifier.contains(pinned), f"{text} does not admit the pinned {pinned}"

"""A real systemd in namespaces of its own: the manager of a user, or that of a machine, with our units in it.

It sees this machine's files and network, and has its own processes, its own /run and its own control group.
Whatever it started ends with it. Process ids inside are not those outside: ask inside.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import psutil
import pytest

__all__ = ["HOME", "USER", "Manager", "reason_to_skip", "system_manager", "user_manager"]

ROOT: Final = Path(__file__).parents[2]
SYSTEMD: Final = Path("/lib/systemd/systemd")
PROGRAMS: Final = ("unshare", "nsenter", "setpriv", "mount", "systemctl", "systemd-analyze")
READY_WITHIN_S: Final = 60.0
TARGETS: Final = ("basic", "default", "multi-user", "network-online", "shutdown", "sysinit")
TARGET: Final = "[Unit]\nDescription={name} of the tests\nDefaultDependencies=no\nAllowIsolate=yes\n"

# An unprivileged user that every machine has: whose manager it is, and who a service of the machine runs as.
USER: Final = "daemon"
HOME: Final = "/home/gateway"

# The home of who runs the tests, which others may not enter.
CLOSED: Final = pwd.getpwuid(os.getuid()).pw_dir

# $1: directory of this manager; then directories that have to be there although they may lie below CLOSED.
PREPARE: Final = f"""
set -e
mount --make-rprivate /
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system /run/systemd/unit-root /run/lock /run/units
mount --bind "$1/units" /run/units
mount --bind "$1/var-lib" /var/lib
mount -t tmpfs -o mode=755 tmpfs /home
mkdir {HOME}
mount --bind "$1/home" {HOME}
shift
mkdir -p /run{CLOSED}
for kept in "$@"; do
    case "$kept" in {CLOSED}/*) mkdir -p "/run$kept" && mount --bind "$kept" "/run$kept";; esac
done
if rmdir /run{CLOSED} 2>/dev/null; then :; else
    chmod 755 /run{CLOSED} && mount --rbind /run{CLOSED} {CLOSED}
fi
"""
START_USER: Final = (
    PREPARE
    + f"""
mkdir -p "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
chown -R {USER} "$XDG_RUNTIME_DIR" /sys/fs/cgroup
setpriv --reuid={USER} --regid={USER} --clear-groups \\
    /lib/systemd/systemd --user --unit=basic.target --log-target=null &
read -r _ || true
"""
)
START_SYSTEM: Final = (
    PREPARE + "exec /lib/systemd/systemd --system --unit=basic.target --show-status=no --log-target=null"
)


@dataclass(frozen=True, kw_only=True)
class Manager:
    """One running systemd."""

    user: bool
    folder: Path  # ours: units/, home/, var-lib/
    init: psutil.Process  # first process of the namespace
    environment: Mapping[str, str] = field(repr=False)

    @property
    def units(self) -> Path:
        """Where its units lie."""
        return self.folder / "units"

    @property
    def home(self) -> Path:
        """What is /home/gateway inside, the home directory of the user."""
        return self.folder / "home"

    @property
    def var_lib(self) -> Path:
        """What is /var/lib inside."""
        return self.folder / "var-lib"

    def run(
        self, *command: str, timeout: float = 60.0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, in this directory, as the user whose manager it is, else as root."""
        inside = ["nsenter", f"--target={self.init.pid}", "--mount", "--pid", "--cgroup"]
        if self.user:
            inside += ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        return subprocess.run(
            [*inside, "env", f"--chdir={Path.cwd()}", *command],
            capture_output=True,
            text=True,
            env={**self.environment, **(environment or {})},
            timeout=timeout,
            check=False,
        )

    def systemctl(self, *arguments: str, timeout: float = 60.0) -> str:
        """Run systemctl, which must succeed, and return what it prints."""
        scope = ["--user"] if self.user else []
        done = self.run("systemctl", *scope, *arguments, timeout=timeout)
        assert done.returncode == 0, f"systemctl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.systemctl("show", "--value", "--property", name, unit)

    def install(self, name: str, text: str) -> None:
        """Install a unit, or with a name such as `litellm.service.d/test.conf` a change to one."""
        path = self.units / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.systemctl("daemon-reload")

    def own(self, path: Path) -> None:
        """Give a file or a directory with all that is in it to the user."""
        inside = (Path(folder, name) for folder, *names in os.walk(path) for name in chain(*names))
        for one in chain([path], inside):
            # A gateway that runs there makes and removes files of its own meanwhile.
            with contextlib.suppress(FileNotFoundError):
                shutil.chown(one, USER, USER)

    def python(self, code: str, *arguments: str, timeout: float = 60.0) -> str:
        """Run Python inside, which must succeed, and return what it prints."""
        done = self.run(sys.executable, "-c", code, *arguments, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def reason_to_skip() -> str | None:
    """Return why no systemd can be started here, None if it can."""
    if not SYSTEMD.exists():
        return f"{SYSTEMD} is not there: needs the package systemd"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    if os.geteuid() != 0:
        return "needs root, to make namespaces and mount in them"
    if _cgroup_root() is None:
        return "needs a cgroup2 file system"
    return None


@contextlib.contextmanager
def user_manager(folder: Path) -> Iterator[Manager]:
    """Start `systemd --user` in namespaces; end it and all that it started."""
    with _manager(folder, START_USER, user=True) as manager:
        yield manager


@contextlib.contextmanager
def system_manager(folder: Path) -> Iterator[Manager]:
    """Start the systemd of a machine as first process of namespaces; end it and all that it started."""
    with _manager(folder, START_SYSTEM, user=False) as manager:
        yield manager


@contextlib.contextmanager
def _manager(folder: Path, script: str, *, user: bool) -> Iterator[Manager]:
    reason = reason_to_skip()
    if reason is not None:
        pytest.skip(reason)
    for name in ("units", "home", "var-lib"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "home", USER, USER)
    for name in TARGETS:
        (folder / "units" / f"{name}.target").write_text(TARGET.format(name=name), encoding="ascii")
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "XDG_RUNTIME_DIR": f"/run/user/{pwd.getpwnam(USER).pw_uid}",
        "SYSTEMD_UNIT_PATH": "/run/units",
    }
    with _control_group() as join, _started(join, script, folder, environment) as init:
        manager = Manager(user=user, folder=folder, init=init, environment=environment)
        _await_ready(manager)
        yield manager


@contextlib.contextmanager
def _started(
    join: list[str], script: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[psutil.Process]:
    command = [*join, "setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--uts", "--ipc"]
    command += ["--cgroup", "--fork", "--kill-child", "--mount-proc"]
    command += ["bash", "-c", script, "bash", str(folder), sys.base_prefix, str(ROOT)]
    with (folder / "manager.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=dict(environment)
        )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not (children := psutil.Process(process.pid).children()):
            assert process.poll() is None, (folder / "manager.log").read_text()
            assert time.monotonic() < deadline, "no namespace in time"
            time.sleep(0.01)
        yield children[0]
    finally:
        for one in psutil.Process(process.pid).children() if process.poll() is None else []:
            one.kill()  # the first process of the namespace: all others die with it
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.communicate()


def _await_ready(manager: Manager) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    scope = ["--user"] if manager.user else []
    while True:
        done = manager.run("systemctl", *scope, "is-active", "basic.target")
        if done.returncode == 0:
            return
        log = (manager.folder / "manager.log").read_text()
        assert time.monotonic() < deadline, f"systemd is not ready in time: {done.stderr}{log}"
        time.sleep(0.05)


def _cgroup_root() -> Path | None:
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            return Path(place)
    return None


@contextlib.contextmanager
def _control_group() -> Iterator[list[str]]:
    """Make a control group for one manager; yield the words that start a command in it."""
    root = _cgroup_root()
    assert root is not None
    group = root / f"aibackend-tests-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        deadline = time.monotonic() + 10
        while group.exists():
            with contextlib.suppress(OSError):
                (group / "cgroup.kill").write_text("1")
            for path in sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    path.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()
            assert time.monotonic() < deadline, f"{group} does not become empty"
            time.sleep(0.02)

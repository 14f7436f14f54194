"""Files at a git revision, read without touching the working tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GitError", "Repository", "Revision"]

_TIMEOUT_S = 60


class GitError(Exception):
    """Git cannot answer; the text says what was asked and why not."""


class Repository:
    """The repository that a directory belongs to."""

    def __init__(self, start: Path) -> None:
        """Find it from a directory, which need not exist any more; raises GitError."""
        there = start.absolute()
        while not there.is_dir() and there != there.parent:
            there = there.parent
        self._cwd = there
        try:
            self.root = Path(self._git("rev-parse", "--show-toplevel").decode().rstrip("\n"))
        except GitError as error:
            _, is_foreign, root = str(error).partition("dubious ownership in repository at ")
            if is_foreign:
                trust = f"if you trust it, git config --global --add safe.directory {root}"
                raise GitError(f"the git repository of {start} belongs to somebody else; {trust}") from error
            raise GitError(f"{start} is in no git repository: {error}") from error

    def revision(self, name: str) -> Revision | None:
        """Return a revision by its name, None where there is none."""
        if not name or name.startswith("-") or "\0" in name:
            return None
        try:
            found = self._git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except GitError:
            return None
        return Revision(self, name, found.decode().strip())

    @property
    def is_shallow(self) -> bool:
        """Say whether older commits were left out when it was cloned."""
        return self._git("rev-parse", "--is-shallow-repository").strip() == b"true"

    def merge_base(self, one: Revision, other: Revision) -> Revision:
        """Return where two revisions parted; raises GitError."""
        try:
            found = self._git("merge-base", one.commit, other.commit).decode().strip()
        except GitError as error:
            text = f"{one.name} and {other.name} have no commit in common here; fetch the whole history"
            raise GitError(text) from error
        return Revision(self, found[:12], found)

    def changed_files(self, one: Revision, other: Revision) -> list[str]:
        """Return the paths of the files in which two revisions differ; raises GitError."""
        found = self._git("diff", "--name-only", "--no-renames", "-z", one.commit, other.commit)
        return [os.fsdecode(path) for path in found.split(b"\0") if path]

    def message(self, revision: Revision) -> str:
        """Return the message of a commit; raises GitError."""
        return self._git("log", "-1", "--format=%B", revision.commit).decode(errors="replace").strip()

    def inside(self, path: Path) -> str:
        """Return a path as the repository has it; raises GitError where it lies outside."""
        whole = Path(os.path.normpath(path.absolute()))
        for resolved, root in ((whole, self.root), (whole.resolve(), self.root.resolve())):
            if resolved.is_relative_to(root):
                return resolved.relative_to(root).as_posix()
        raise GitError(f"{path} lies outside the git repository {self.root}")

    def blobs(self, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
        """Return what files hold at a commit, those left out that it has not; links are followed."""
        asked = "".join(f"{commit}:{path}\n" for path in paths if "\n" not in path)
        answer = self._git("cat-file", "--batch", "--follow-symlinks", given=asked.encode())
        found: dict[str, bytes] = {}
        place = 0
        for path in (path for path in paths if "\n" not in path):
            end = answer.index(b"\n", place)
            head = answer[place:end].split(b" ")
            place = end + 1
            size = int(head[-1]) if head[-1].isdigit() else None
            if size is None:
                continue  # "... missing" has no content
            if head[0] in (b"symlink", b"dangling", b"loop", b"notdir"):
                place += size + 1
                continue
            if head[1] == b"blob":
                found[path] = answer[place : place + size]
            place += size + 1
        return found

    def has_tree(self, commit: str, path: str) -> bool:
        """Say whether there is a directory of this path at a commit."""
        try:
            kind = self._git("cat-file", "-t", f"{commit}:{'' if path == '.' else path}")
        except GitError:
            return False
        return kind.strip() == b"tree"

    def _git(self, *arguments: str, given: bytes | None = None) -> bytes:
        environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
        try:
            done = subprocess.run(
                ["git", "-C", str(self._cwd), *arguments],
                input=given if given is not None else b"",
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
                env=environment,
            )
        except FileNotFoundError:
            raise GitError("git is not installed") from None
        except subprocess.TimeoutExpired:
            raise GitError(f"git {arguments[0]} did not answer within {_TIMEOUT_S} s") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise GitError(said[0] if said else f"git {arguments[0]} failed ({done.returncode})")
        return done.stdout


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit, by the name that it was asked for."""

    repository: Repository
    name: str
    commit: str

"""Which bytes a starting gateway, or a starting worker of it, loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_aibackend.serving.state import StateDir, sha256

__all__ = ["DEPLOYED", "VERIFIED", "Choice", "NothingToServeError", "choose"]

DEPLOYED = "deployed"
VERIFIED = "verified"


class NothingToServeError(Exception):
    """There is neither a deployed file that can be read nor a kept copy; the text says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The file to load, and why it is that one."""

    path: Path
    sha256: str
    source: str  # DEPLOYED or VERIFIED
    refused_sha256: str = ""  # of the deployed file, where it was not chosen and could be read
    reason: str = ""  # why the deployed file was not chosen


def choose(state: StateDir, file: Path) -> Choice:
    """Choose the deployed file if it was verified or approved, else the copy of the last verified bytes.

    Where nothing was ever verified, the deployed file is taken as it is. Raises NothingToServeError.
    """
    verified = state.verified()
    try:
        digest = sha256(file.read_bytes())
    except OSError as error:
        if verified is None:
            raise NothingToServeError(
                f"{file} cannot be read ({error.strerror}), and no verified copy is kept in {state.path}\n"
                "  hint: deploy a configuration with `aibackend reload`"
            ) from error
        return _kept(state, verified.sha256, f"{file} cannot be read: {error.strerror}")
    if verified is None or digest == verified.sha256:
        return Choice(path=file, sha256=digest, source=DEPLOYED)
    if digest == state.approved():
        return Choice(path=file, sha256=digest, source=DEPLOYED)
    if digest == state.unstartable():
        reason = f"{file} was approved, and the gateway does not start on it"
    else:
        reason = f"{file} was changed past `aibackend reload`: nobody has verified it"
    return _kept(state, verified.sha256, reason, digest)


def _kept(state: StateDir, digest: str, reason: str, refused: str = "") -> Choice:
    return Choice(
        path=state.verified_file, sha256=digest, source=VERIFIED, refused_sha256=refused, reason=reason
    )

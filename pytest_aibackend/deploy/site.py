"""Where a configuration is deployed: the file, its gateway, and what is known of both."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_aibackend.deploy.service import Service, ServiceError, service_of
from pytest_aibackend.litellm.master_key import master_key_of
from pytest_aibackend.serving.state import StateDir, sha256
from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.backend import Backend

__all__ = ["Site", "master_key"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """One deployment, as gateway.yaml describes it."""

    backend: Backend
    state: StateDir
    target: Path  # the deployed file
    backup_dir: Path
    verify_within_s: float
    verify_completion: bool

    @classmethod
    def of(cls, backend: Backend, *, verify_within_s: float, verify_completion: bool) -> Site:
        """Name the places of a configuration."""
        deploy = backend.gateway.deploy
        return cls(
            backend=backend,
            state=StateDir(backend.resolve(deploy.state_dir)),
            target=backend.resolve(deploy.path),
            backup_dir=backend.resolve(deploy.backup_dir),
            verify_within_s=verify_within_s,
            verify_completion=verify_completion,
        )

    @cached_property
    def service(self) -> Service:
        """Return who starts and signals the gateway; raises ServiceError."""
        return service_of(self.backend, self.state)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of the gateway, what it does not name from ours; raises ServiceError."""
        return ChainMap(self.service.environment() or {}, dict(os.environ))

    def own_environment(self) -> Mapping[str, str]:
        """Return the environment of the gateway alone; ours where nothing is known of it."""
        try:
            return self.service.environment() or dict(os.environ)
        except ServiceError:
            return dict(os.environ)

    def is_served(self, raw: bytes) -> bool | None:
        """Say whether all workers serve these bytes; None where the gateway keeps no notes that say it."""
        if self.state.gateway_note() is None:
            return None
        return {note.sha256 for note in self.state.worker_notes() if note.serves} == {sha256(raw)}

    def verified_bytes(self) -> bytes | None:
        """Return the bytes that were verified last, None where there are none."""
        return self.state.verified_file.read_bytes() if self.state.verified() else None

    def falls_back_to(self, raw: bytes | None) -> bytes | None:
        """Return what the gateway serves when these bytes are deployed and it is told to load them.

        A gateway of ours loads what was verified or approved, and else what was verified last; another one
        loads whatever is deployed.
        """
        if raw is None or self.state.gateway_note() is None or self.state.approved() == sha256(raw):
            return raw
        return self.verified_bytes() or raw


def master_key(raw: bytes, environment: Mapping[str, str]) -> str | None:
    """Return the key with which the gateway lets us in when it serves these bytes, None for none."""
    document, _ = yaml_text.parse(raw)
    return master_key_of(document.data if document is not None else None, environment)

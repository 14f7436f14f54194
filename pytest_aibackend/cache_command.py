"""`aibackend cache`: from a configuration to the care of the Redis that it caches in."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_aibackend.sources.backend import load_backend

__all__ = ["run"]


def run(action: str, config_dir: Path, *, dry_run: bool, as_json: bool) -> int:
    """Do `stats` or `clear` on the configured cache; return 0 done, 1 refused, 2 nothing to do it on."""
    if not config_dir.is_dir():
        return _refuse(f"there is no configuration directory {config_dir}; name it with --config DIR")
    backend = load_backend(config_dir)
    source = backend.sources["gateway"]
    if not source.is_loaded:
        return _refuse("\n".join(f"{each}\n  hint: {each.hint}" for each in backend.load_findings("gateway")))
    if not source.exists:
        return _refuse(f"{source.display} is missing, and with it the settings of a cache")
    from pytest_aibackend.live import redis_target

    target = redis_target(backend)
    if target is None:
        return _refuse(
            f"{source.display} configures no Redis cache\n"
            "  hint: set litellm_settings.cache: true and cache_params with type: redis and a namespace"
        )
    from pytest_aibackend.cache import cache_command

    return cache_command(action, target, dry_run=dry_run, as_json=as_json)


def _refuse(reason: str) -> int:
    print(f"aibackend cache: {reason}", file=sys.stderr)
    return 2

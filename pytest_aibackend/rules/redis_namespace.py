"""Check 11: the gateway's keys have a namespace of their own, and it can be used."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.redis import healthy_caches, redis_params, redis_problem
from pytest_aibackend.rules.registry import Group, LiveBackend, declare_group, rule
from pytest_aibackend.sources.backend import Backend

__all__ = ["NAMESPACE"]


def _namespace(backend: Backend) -> list[str]:
    params = redis_params(backend)
    return [] if params is None else [str(params.get("namespace") or "(no namespace)")]


NAMESPACE = declare_group(
    Group(
        id="redis-namespace", check=11, noun="namespace", needs=("gateway",), subjects=_namespace, live=True
    )
)


@rule("namespace-missing", group=NAMESPACE.id)
def namespace_missing(live: LiveBackend) -> Iterator[Problem]:
    """The cache has no namespace: the gateway's keys lie among everybody else's.

    They cannot be told apart, counted or cleared without touching other people's data. LiteLLM puts
    `cache_params.namespace` before every key (1.106.2, caching/redis_cache.py).
    """
    params = redis_params(live.backend)
    if params is not None and not params.get("namespace"):
        yield redis_problem(
            live,
            NAMESPACE,
            "the cache has no namespace",
            'add namespace: "litellm:unified" under cache_params',
        )


@rule("namespace-unusable", group=NAMESPACE.id)
def namespace_unusable(live: LiveBackend) -> Iterator[Problem]:
    """A key inside the namespace cannot be written, read, expired or removed.

    The gateway could not cache either. The user may lack rights for these keys, or the memory may be full.
    """
    for seen in healthy_caches(live):
        probe = seen.namespace_probe
        if probe is not None and probe.detail:
            yield redis_problem(
                live,
                NAMESPACE,
                f"inside the namespace {seen.namespace!r}: {probe.detail}",
                "see what the server allows this user (ACL) and whether it is full",
                "namespace",
            )


@rule("keys-outside-namespace", group=NAMESPACE.id, severity=Severity.WARNING)
def keys_outside_namespace(live: LiveBackend) -> Iterator[Problem]:
    """Keys that LiteLLM names so lie outside the namespace: of an older configuration, or another gateway.

    `aibackend cache clear` does not touch them. If no other gateway uses the server, remove them by hand.
    """
    for seen in healthy_caches(live):
        if seen.own_keys_outside and seen.namespace:
            examples = ", ".join(seen.own_keys_outside_examples[:3])
            yield redis_problem(
                live,
                NAMESPACE,
                f"{seen.own_keys_outside} keys of a gateway lie outside {seen.namespace!r},"
                f" such as {examples}",
                "let them expire, or delete them once nobody uses them",
                "namespace",
            )

"""Check 5: chains and lists of members lead somewhere: not back, not twice to the same place."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from pytest_aibackend.findings import Path, Problem, Severity
from pytest_aibackend.rules.model_references import (
    CAPABILITIES,
    CHAINS,
    DEFAULT_CHAIN,
    LOAD_BALANCING,
    ROUTES,
    chain_path,
)
from pytest_aibackend.rules.registry import rule
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.cycles import find_cycles, shown_cycle

__all__: list[str] = []


def _problem(path: Path, subject: str, message: str, hint: str, group: str) -> Problem:
    return Problem(
        source="model-mappings", path=path, message=message, hint=hint, subject=subject, group=group
    )


@rule("chain-cycle", group=CHAINS.id)
def find_chain_cycles(backend: Backend) -> Iterator[Problem]:
    """Fallback chains lead back to where they began.

    When the models of the circle are down, there is no way out of it: each names only the others, and
    retries multiply. Decide which one is the last resort, and take the others out of its chain.
    """
    chains = {
        name: each.chain for name, each in backend.mappings.fallback_chains.items() if name != DEFAULT_CHAIN
    }
    for cycle in find_cycles(chains):
        last, first = cycle[-1], cycle[0]
        path = (*chain_path(backend, last), chains[last].index(first))
        yield _problem(
            path,
            last,
            f"fallback chains run in a circle: {shown_cycle(cycle)}",
            f"take {first!r} out of the chain of {last!r}, or break the circle elsewhere",
            CHAINS.id,
        )


@rule("self-fallback", group=(CHAINS.id, ROUTES.id, CAPABILITIES.id))
def find_self_fallbacks(backend: Backend) -> Iterator[Problem]:
    """A chain, route or capability falls back to itself.

    What just failed is not asked again: the entry has no effect. Remove it, or name another model.
    """
    mappings = backend.mappings
    for name, chain in mappings.fallback_chains.items():
        if name in chain.chain and name != DEFAULT_CHAIN:
            path = (*chain_path(backend, name), chain.chain.index(name))
            yield _problem(
                path, name, f"chain {name!r} names itself", "remove it from its own chain", CHAINS.id
            )
    for name, route in mappings.exact_matches.items():
        if name == route.fallback:
            yield _problem(
                ("exact_matches", name, "fallback"),
                name,
                f"route {name!r} falls back to itself",
                "name another model, or remove the fallback",
                ROUTES.id,
            )
    for name, capability in mappings.capabilities.items():
        if name == capability.fallback:
            yield _problem(
                ("capabilities", name, "fallback"),
                name,
                f"capability {name!r} falls back to itself",
                "name another model, or remove the fallback",
                CAPABILITIES.id,
            )


@rule("duplicate-member", group=(CHAINS.id, CAPABILITIES.id, LOAD_BALANCING.id), severity=Severity.WARNING)
def find_duplicate_members(backend: Backend) -> Iterator[Problem]:
    """A chain, capability or load-balancing group names the same member twice.

    The second one adds nothing: often another name was meant. Remove it, or mend it.
    """
    mappings = backend.mappings
    for name, chain in mappings.fallback_chains.items():
        members = [member if member != name else f"\0{index}" for index, member in enumerate(chain.chain)]
        for index in _repeated(members):
            yield _twice(
                (*chain_path(backend, name), index), name, f"chain {name!r}", chain.chain[index], CHAINS.id
            )
    for name, capability in mappings.capabilities.items():
        for index in _repeated(capability.preferred_models):
            model = capability.preferred_models[index]
            yield _twice(
                ("capabilities", name, "preferred_models", index),
                name,
                f"capability {name!r}",
                model,
                CAPABILITIES.id,
            )
    for name, group in mappings.load_balancing.items():
        deployments = [
            (each.provider, each.model or each.preferred_model, each.condition) for each in group.providers
        ]
        for index in _repeated(deployments):
            provider, wanted, _ = deployments[index]
            yield _twice(
                ("load_balancing", name, "providers", index),
                name,
                f"load-balancing group {name!r}",
                f"{provider}: {wanted}" if wanted else provider,
                LOAD_BALANCING.id,
            )


def _repeated(members: Sequence[Hashable]) -> Iterator[int]:
    seen = set()
    for index, member in enumerate(members):
        if member in seen:
            yield index
        seen.add(member)


def _twice(path: Path, subject: str, owner: str, member: str, group: str) -> Problem:
    return _problem(
        path, subject, f"{owner} names {member!r} more than once", "remove it, or name the one meant", group
    )

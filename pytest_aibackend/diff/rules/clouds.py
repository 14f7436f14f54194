"""Off the machine: requests that leave the local network, and servers that the configuration names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.reach import clouds_of, endpoints
from pytest_aibackend.diff.rules.answering import compared

__all__ = [
    "cloud_deployment_added",
    "cloud_deployment_removed",
    "cloud_fallback_added",
    "cloud_fallback_removed",
    "outside_endpoint_added",
    "outside_endpoint_removed",
]

_LEAVES = (ChangeClass.BREAKING, ChangeClass.SECURITY)


@change_rule(
    "cloud-deployment-added", kind=ChangeKind.ADDED, classes=_LEAVES, opposite="cloud-deployment-removed"
)
def cloud_deployment_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Requests of a model group that stayed in the local network may be answered by a service outside.

    What clients send, personal data and source code with it, goes to somebody else, and is billed. Clients
    that relied on the contrary cannot see it: make it a model group with a name of its own, or say it to
    them. Addresses in variables are taken for outside ones, `-cloud` models of Ollama too.
    """
    for pair in compared(old, new):
        for cloud in sorted(clouds_of(new, pair.name) - clouds_of(old, pair.name)):
            yield Said(
                subject=pair.name,
                message=f"requests of {pair.name!r} may go to {cloud}",
                notice=f"What is sent to {pair.name!r} may leave the local network.",
                clients=pair.clients,
            )


@change_rule(
    "cloud-deployment-removed",
    kind=ChangeKind.REMOVED,
    classes=(ChangeClass.INFO,),
    opposite="cloud-deployment-added",
)
def cloud_deployment_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Requests of a model group no longer go to a service outside the local network.

    Its abilities and its capacity are gone with it.
    """
    for pair in compared(old, new):
        for cloud in sorted(clouds_of(old, pair.name) - clouds_of(new, pair.name)):
            yield Said(
                subject=pair.name,
                message=f"requests of {pair.name!r} no longer go to {cloud}",
                notice=f"{cloud} no longer answers {pair.name!r}.",
                clients=pair.clients,
            )


@change_rule(
    "cloud-fallback-added", kind=ChangeKind.ADDED, classes=_LEAVES, opposite="cloud-fallback-removed"
)
def cloud_fallback_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """When a model group fails, its requests may now go on to a service outside the local network.

    It happens on the bad day, when nobody looks: what was promised to stay on the machine leaves it, and is
    billed. Chains are followed to their end, as LiteLLM does, and so are the fallbacks of every name.
    """
    yield from (
        Said(
            subject=name,
            message=f"requests of {name!r} that fail may go on to {cloud}",
            notice=f"What is sent to {name!r} may leave the local network when its own servers fail.",
            clients=(name,),
        )
        for name, cloud in _reached_in_one_alone(new, old, _new_names_of_kept(new))
    )


@change_rule(
    "cloud-fallback-removed",
    kind=ChangeKind.REMOVED,
    classes=(ChangeClass.INFO,),
    opposite="cloud-fallback-added",
)
def cloud_fallback_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """When a model group fails, its requests no longer go on to a service outside the local network.

    Where nothing else is left to fall back to, they fail.
    """
    yield from (
        Said(
            subject=name,
            message=f"requests of {name!r} that fail no longer go on to {cloud}",
            notice=f"{cloud} no longer answers {name!r} when its own servers fail.",
            clients=(name,),
        )
        for name, cloud in _reached_in_one_alone(old, new, set(new.renamed) - new.kept)
    )


@change_rule(
    "outside-endpoint-added",
    kind=ChangeKind.ADDED,
    classes=(ChangeClass.SECURITY,),
    opposite="outside-endpoint-removed",
)
def outside_endpoint_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The configuration names a server other than this machine, and did not before.

    Wherever it stands, as a provider, a cache, a log or a pass-through: something is sent there. A firewall
    may have to let it through.
    """
    for host in sorted(endpoints(new) - endpoints(old)):
        yield Said(
            subject=host,
            message=f"the gateway may now talk to {host}",
            notice="Nothing, unless what is sent there is theirs.",
        )


@change_rule(
    "outside-endpoint-removed",
    kind=ChangeKind.REMOVED,
    classes=(ChangeClass.INFO,),
    opposite="outside-endpoint-added",
)
def outside_endpoint_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The configuration no longer names a server other than this machine.

    A rule of a firewall, an account or a key may have become unnecessary.
    """
    for host in sorted(endpoints(old) - endpoints(new)):
        yield Said(
            subject=host,
            message=f"the gateway no longer talks to {host}",
            notice="Nothing by itself.",
        )


def _new_names_of_kept(new: Meaning) -> set[str]:
    """Return the names that nobody asked for before; their old ones are aliases of them."""
    return {new.renamed[was] for was in new.kept}


def _reached_in_one_alone(one: Meaning, other: Meaning, besides: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of both sides with the clouds that their fallbacks reach on one side alone."""
    here, there = _reached(one), _reached(other)
    for name in one.names:
        fresh = here.get(name, set()) - there.get(name, set())
        if fresh and name in other.names and name not in besides:
            own = clouds_of(one, name) | clouds_of(other, name)
            yield from ((name, cloud) for cloud in sorted(fresh - own))


@lru_cache(maxsize=2)  # two rules ask about the same two sides
def _reached(meaning: Meaning) -> Mapping[str, set[str]]:
    """Return the clouds at the end of each name's fallbacks, of every kind, going back from the clouds."""
    asked_after: dict[str, list[str]] = {}
    for source, targets in meaning.next_asked.items():
        for target in targets:
            asked_after.setdefault(target, []).append(source)
    answering: dict[str, list[str]] = {}
    for name in (*meaning.names, *meaning.patterns):
        for cloud in clouds_of(meaning, name):
            answering.setdefault(cloud, []).append(name)
    kinds = [kind for kind, source in meaning.fallbacks if not source]
    anybody = [name for name in meaning.names if any(meaning.is_without_chain(name, kind) for kind in kinds)]
    found: dict[str, set[str]] = {}
    for cloud, names in answering.items():
        queue, seen = list(names), set[str]()
        for name in queue:  # grows while it is read
            sources = [source for source in asked_after.get(name, ()) if source not in seen]
            if "" in sources:  # asked for every name that has no chain of its own
                sources += [source for source in anybody if source not in seen]
            seen |= set(sources)
            queue += sources
        for name in seen:
            found.setdefault(name, set()).add(cloud)
    return found

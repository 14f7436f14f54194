"""Model groups: what those who answer can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, Said
from pytest_aibackend.diff.deployment import Deployment, Windows
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.pairing import common_groups, pairs_by_group
from pytest_aibackend.diff.reach import place_of
from pytest_aibackend.diff.wording import MISSING, shown
from pytest_aibackend.litellm.schema import Schema, load_schema, shipped_lines

__all__ = [
    "Compared",
    "compared",
    "context_window_grown",
    "context_window_shrunk",
    "cost_changed",
    "mode_changed",
    "model_changed",
    "modes",
]

_COSTS = ("cost", "price")


@dataclass(frozen=True, slots=True)
class Compared:
    """A name of both sides and the model groups that it leads to."""

    name: str
    old_group: str
    new_group: str
    clients: tuple[str, ...]


def compared(old: Meaning, new: Meaning) -> Iterator[Compared]:
    """Yield the model groups of both sides, and the aliases that lead elsewhere than before."""
    for group in common_groups(old, new):
        if group not in old.aliases and group not in new.aliases:
            yield Compared(group, group, group, new.clients(group))
    for name in old.names:
        before, after = _group_of(old, name), _group_of(new, name)
        if name in new.names and before != after and before in old.groups and after in new.groups:
            yield Compared(name, before, after, (name,))


def modes(meaning: Meaning, group: str) -> tuple[str, ...]:
    """Return the modes of those who answer a model group."""
    return tuple(sorted({_mode(found) for found in meaning.groups.get(group, ())}))


@change_rule("mode-changed", classes=(ChangeClass.BREAKING,))
def mode_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A model group does another kind of work: chat, embedding, rerank.

    Each kind has an endpoint of its own; requests to the one that clients use now fail. Where none is written
    it is the one that LiteLLM knows of the model, else chat.
    """
    for pair in compared(old, new):
        before, after = modes(old, pair.old_group), modes(new, pair.new_group)
        if before != after:
            words = " and ".join(before), " and ".join(after)
            yield Said(
                subject=pair.name,
                message=f"{pair.name!r} was for {words[0]}, is for {words[1]}",
                notice=f"Requests of {pair.name!r} for {words[0]} may fail.",
                clients=pair.clients,
            )


@change_rule("context-window-shrunk", classes=(ChangeClass.BREAKING,), opposite="context-window-grown")
def context_window_shrunk(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A model group takes less text than before.

    Long conversations and documents that fitted are cut or refused. The window of a group is that of its
    deployments, or of those with the lowest `order`: the smallest, and the largest where they differ, for a
    client cannot choose. It is read from `context_length`, `max_model_len` and `num_ctx` of the sources, or
    from `max_input_tokens` and `num_ctx` of the file; where one side does not say it, and it may be the same,
    nothing is said. What LiteLLM's own map says of the models of cloud services is not looked up.
    """
    yield from _windows(old, new, shrunk=True)


@change_rule("context-window-grown", classes=(ChangeClass.INFO,), opposite="context-window-shrunk")
def context_window_grown(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A model group takes more text than before.

    Nothing that worked fails. A larger window takes more memory on the server.
    """
    yield from _windows(old, new, shrunk=False)


@change_rule("model-changed", classes=(ChangeClass.INFO,))
def model_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Another model, or another kind of provider, answers a model group.

    Answers read differently, and prompts that were tuned may need it again. For embeddings the change is
    breaking: vectors of two models cannot be compared, and everything that was stored must be made anew.
    """
    for group, pairs in pairs_by_group(old, new).items():
        does_embed = bool(pairs.changed) and "embedding" in modes(old, group)
        for before, after, _ in pairs.changed:
            if _model(before) == _model(after):
                continue
            is_same = before.model.partition("/")[2] == after.model.partition("/")[2]
            is_embedding = does_embed and not is_same
            notice = f"{group!r} is answered by another model: its answers differ."
            if is_same:
                notice = (
                    f"{group!r} is asked as another kind of provider: parameters may be taken differently."
                )
            if is_embedding:
                notice = f"Vectors from {group!r} cannot be compared with those made before: make them anew."
            yield Said(
                subject=group,
                message=f"{group!r} was answered by {_model(before)}, is by {_model(after)}"
                f" at {place_of(after)}",
                notice=notice,
                clients=new.clients(group),
                classes=(ChangeClass.BREAKING,) if is_embedding else None,
            )


@change_rule("cost-changed", classes=(ChangeClass.INFO,))
def cost_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """What LiteLLM reckons for a request of a model group is another price.

    Budgets are used up faster or slower, `cost-based-routing` chooses differently, and reports over both
    times cannot be compared.
    """
    for group, pairs in pairs_by_group(old, new).items():
        for before, after, places in pairs.changed:
            for place in filter(is_cost, places):
                values = (
                    shown(place, before.fields.get(place, MISSING)),
                    shown(place, after.fields.get(place, MISSING)),
                )
                yield Said(
                    subject=group,
                    message=f"{place[-1]} of {group!r} was {values[0]}, is {values[1]}",
                    notice="Budgets and reports reckon with the new price.",
                    clients=new.clients(group),
                )


def is_cost(place: tuple[str, ...]) -> bool:
    """Say whether a field of a deployment is a price."""
    return any(word in place[-1].split("_") for word in _COSTS)


def _windows(old: Meaning, new: Meaning, *, shrunk: bool) -> Iterator[Said]:
    for pair in compared(old, new):
        before, after = old.windows(pair.old_group), new.windows(pair.new_group)
        if before is None or after is None:
            continue
        less, more = (after, before) if shrunk else (before, after)
        if not less.is_less_than(more):
            continue
        least, most, _ = after
        notice = f"Requests of {pair.name!r} may have up to {most:,} tokens{_if_lucky(after)}."
        if shrunk:
            are = "are" if least == most else "may be"
            notice = f"Requests of {pair.name!r} with more than {least:,} tokens {are} cut or refused."
        yield Said(
            subject=pair.name,
            message=f"the context window of {pair.name!r} was {_span(before)} tokens, is {_span(after)}",
            notice=notice,
            clients=pair.clients,
        )


def _if_lucky(windows: Windows) -> str:
    return "" if windows.smallest == windows.largest else ", where the server that answers takes them"


def _span(windows: Windows) -> str:
    least, most, _ = windows
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


@lru_cache(maxsize=1)
def _known() -> Schema:
    return load_schema(shipped_lines()[-1])  # the same whatever is installed


@lru_cache(maxsize=4096)
def _known_mode(model: str) -> str | None:
    """Return the mode that LiteLLM knows of a model, with the provider's prefix or without."""
    known = _known()
    prefix, _, bare = model.partition("/")
    return known.mode_of(model) or (known.mode_of(bare) if known.provider_of(bare) == prefix else None)


def _mode(deployment: Deployment) -> str:
    model = deployment.info("base_model") or deployment.param("model")
    known = _known_mode(model) if isinstance(model, str) else None
    return str(deployment.info("mode") or known or "chat")


def _model(deployment: Deployment) -> str:
    kind = deployment.param("custom_llm_provider")
    return f"{deployment.model} ({kind})" if kind else deployment.model


def _group_of(meaning: Meaning, name: str) -> str:
    alias = meaning.aliases.get(name)
    return alias.target if alias else name

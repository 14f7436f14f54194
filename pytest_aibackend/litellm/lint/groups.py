"""Model groups: names that can be asked for, and deployments that can stand in for one another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Deployment

__all__ = ["duplicate_deployment", "embedding_without_mode", "mixed_modes", "unusable_name"]

_EMBEDDING: Final = re.compile(
    r"embedding|(^|[/_-])(embed|embedder|bge|gte|e5|mxbai|snowflake-arctic|all-minilm|all-mpnet)([.:_-]|$)",
    re.IGNORECASE,
)
_RERANKER: Final = re.compile(r"rerank", re.IGNORECASE)
_TEXT: Final = "text"
# Modes that answer the same requests, or that LiteLLM translates into one another.
_ALIKE: Final = {"chat": _TEXT, "completion": _TEXT, "responses": _TEXT, "anthropic_messages": _TEXT}


@lint_rule("unusable-name", where="proxy/common_request_processing.py: x-litellm-model-group (1.106.2)")
def unusable_name(context: LintContext) -> Iterator[LintProblem]:
    """A model group, or an alias, has a name that cannot be asked for.

    LiteLLM puts the name into a header of each answer, where only Latin letters may stand: with others every
    request fails with 500. A name that is empty, or that begins or ends with a blank, is one that nobody
    writes. Use letters, digits and `-_.:/`.
    """
    groups = [(name, (*members[0].path, "model_name")) for name, members in context.document.groups.items()]
    aliases = [
        (name, alias.path) for name, alias in context.document.aliases.items() if isinstance(name, str)
    ]
    for name, path in [*groups, *aliases]:
        fact = _unusable(name)
        if fact is not None:
            yield LintProblem(
                path=path, message=f"the model name {name!r} {fact}", hint="use letters, digits and -_.:/"
            )


@lint_rule(
    "mixed-modes", where="router_strategy/simple_shuffle.py; router.py, get_available_deployment (1.106.2)"
)
def mixed_modes(context: LintContext) -> Iterator[LintProblem]:
    """Deployments of one model group do different things, such as chat and embeddings.

    LiteLLM chooses any of them for a request, whatever is asked: some requests fail. Give each kind a
    `model_name` of its own.
    """
    for name, members in context.document.groups.items():
        if "*" in name:
            continue
        first = _kind(context, members[0])
        other = next((each for each in members if _kind(context, each) != first), None)
        if other is not None:
            yield LintProblem(
                path=other.path,
                message=f"{name!r} has deployments for {first} and for {_kind(context, other)};"
                " a request may come to either",
                hint="give each kind a model_name of its own",
            )


@lint_rule("duplicate-deployment", severity=Severity.WARNING, where="router.py, model_info.id (1.106.2)")
def duplicate_deployment(context: LintContext) -> Iterator[LintProblem]:
    """Two deployments are one to LiteLLM: they have the same `id`, or say the same in every word.

    LiteLLM makes the id from the name and the litellm_params, where `model_info` names none, and keeps what
    it knows of a deployment by its id: a failure of one puts both aside, and the later takes the place of the
    earlier wherever LiteLLM looks for the id.
    """
    firsts: dict[str, Deployment] = {}
    for deployment in context.document.deployments:
        given = deployment.info.get("id")
        same = f"id {given}" if given is not None else f"{deployment.name!r} {_written_out(deployment)}"
        first = firsts.setdefault(same, deployment)
        if first is not deployment:
            line = context.document.locate(first.path).line
            what = f"has the id {given!r}, as" if given is not None else "says the same as"
            yield LintProblem(
                path=(*deployment.path, "model_info", "id") if given is not None else deployment.path,
                message=f"a deployment of {deployment.label!r} {what} the one in line {line}:"
                " LiteLLM takes both for one",
                hint="give it an id of its own" if given is not None else "remove one of them",
            )


@lint_rule(
    "embedding-without-mode",
    severity=Severity.WARNING,
    where="proxy/health_check.py, resolve_health_check_mode (1.106.2)",
)
def embedding_without_mode(context: LintContext) -> Iterator[LintProblem]:
    """A model for embeddings, or for ranking, does not say so.

    LiteLLM knows what the models of the big providers do. Of others it believes that they chat: its health
    checks ask them for that, and call them unhealthy. Write `mode: embedding`, or `mode: rerank`, under
    `model_info`.
    """
    for deployment in context.document.deployments:
        mode = _guessed(deployment)
        if mode and not deployment.info.get("mode") and _known_mode(context, deployment) is None:
            yield LintProblem(
                path=deployment.at("model"),
                message=f"{deployment.model!r} is for {mode} by its name; LiteLLM believes that it chats",
                hint=f"write mode: {mode} under its model_info",
            )


def _written_out(deployment: Deployment) -> str:
    return repr(sorted(deployment.params.items(), key=str))


def _unusable(name: str) -> str | None:
    if not name.strip():
        return "is blank"
    if name != name.strip():
        return "begins or ends with a blank"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "holds a line break or another control character"
    if any(ord(letter) > 255 for letter in name):
        return "has letters outside Latin-1: every request for it fails with 500"
    return None


def _kind(context: LintContext, deployment: Deployment) -> str:
    mode = deployment.info.get("mode") or _known_mode(context, deployment) or _guessed(deployment)
    return _ALIKE.get(mode, mode) if isinstance(mode, str) else _TEXT


def _known_mode(context: LintContext, deployment: Deployment) -> str | None:
    """Return the mode that LiteLLM knows of a model, where it is none of text."""
    model = deployment.model
    return context.schema.mode_of(model) or context.schema.mode_of(model.partition("/")[2])


def _guessed(deployment: Deployment) -> str | None:
    """Return what a model does by its name; None where that says nothing."""
    name = deployment.model.rpartition("/")[2]
    if _RERANKER.search(name):
        return "rerank"
    return "embedding" if _EMBEDDING.search(name) else None

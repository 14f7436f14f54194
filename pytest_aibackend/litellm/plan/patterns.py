"""Patterns and the default provider: wildcard routes that pass on the name they were asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.plan.capabilities import in_order
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.types import Deployment, Problems
from pytest_aibackend.litellm.plan.wildcards import (
    InexpressibleError,
    example_of_both,
    specificity,
    wildcard_of,
)
from pytest_aibackend.sources.models import ModelMappingsFile, Pattern

__all__ = ["plan_wildcards"]

Groups = Mapping[str, tuple[Deployment, ...]]


def plan_wildcards(
    mappings: ModelMappingsFile, groups: Groups, maker: DeploymentMaker, problems: Problems
) -> dict[str, tuple[Deployment, ...]]:
    """Return the deployments of each wildcard, in file order, the default provider's `*` last."""
    found: dict[str, tuple[Deployment, ...]] = {}
    places: dict[str, int] = {}
    for place, pattern in enumerate(mappings.patterns):
        if not maker.is_active(pattern.provider):
            continue
        text = _wildcard(place, pattern, problems)
        if text is None:
            continue
        path: Path = ("patterns", place)
        if text in found:
            problems.add(
                "ambiguous-model-group",
                path,
                pattern.pattern,
                message=f"pattern {pattern.pattern!r} becomes the wildcard {text!r}, as pattern"
                f" {mappings.patterns[places[text]].pattern!r} does; as it is, the first answers",
                hint="remove one of the two",
            )
            continue
        first = maker.make_wildcard(pattern.provider, text, path)
        second = _second(text, pattern, (*path, "fallback"), groups=groups, maker=maker, problems=problems)
        found[text] = _with_second(first, second)
        places[text] = place
    _report_order(mappings, places, problems)
    _plan_default(mappings, found, groups, maker, problems)
    return found


def _wildcard(place: int, pattern: Pattern, problems: Problems) -> str | None:
    path: Path = ("patterns", place, "pattern")
    try:
        wildcard = wildcard_of(pattern.pattern)
    except re.error:
        return None  # has a rule of its own
    except InexpressibleError as reason:
        problems.add(
            "pattern-not-expressible",
            path,
            pattern.pattern,
            message=f"pattern {pattern.pattern!r} has no route: LiteLLM knows only '*' in a name, and"
            f" {reason}",
            hint="write it with literal text and .* alone, or list the names under exact_matches",
        )
        return None
    if wildcard.wider:
        problems.add(
            "pattern-wider-than-written",
            path,
            pattern.pattern,
            message=f"pattern {pattern.pattern!r} becomes the wildcard {wildcard.text!r}, which matches"
            f" more: {wildcard.wider}",
            hint="list the names under exact_matches where the difference matters",
        )
    return wildcard.text


def _second(
    text: str, pattern: Pattern, path: Path, *, groups: Groups, maker: DeploymentMaker, problems: Problems
) -> tuple[Deployment, ...]:
    """Return what answers when the provider of a wildcard does not."""
    name = pattern.fallback
    if name is None:
        return ()
    if name in groups:
        return groups[name]
    if not maker.is_active(name):
        return ()
    listed = maker.providers[name].models
    if name != pattern.provider:
        if any(re.match(pattern.pattern, model.name) for model in listed) or not listed:
            return (maker.make_wildcard(name, text, path),)
        if len(listed) == 1:
            return (maker.make(name, listed[0].name, "model-mappings", path),)
    problems.add(
        "fallback-without-effect",
        path,
        pattern.pattern,
        message=f"fallback {name!r} of pattern {pattern.pattern!r} has no effect: "
        + (
            "it is the provider that has failed"
            if name == pattern.provider
            else "no model of that provider has such a name"
            f" ({', '.join(model.name for model in listed[:5])})"
        ),
        hint="name a model group instead of a provider",
    )
    return ()


def _plan_default(
    mappings: ModelMappingsFile,
    found: dict[str, tuple[Deployment, ...]],
    groups: Groups,
    maker: DeploymentMaker,
    problems: Problems,
) -> None:
    rules = mappings.routing_rules
    path: Path = ("routing_rules", "default_provider")
    if rules.default_provider is None:
        if rules.default_fallback is not None:
            problems.add(
                "fallback-without-effect",
                ("routing_rules", "default_fallback"),
                "routing_rules",
                message=f"default_fallback {rules.default_fallback!r} has no effect: there is no"
                " default_provider",
                hint="name a default_provider, or use the chain default of fallback_chains",
            )
        return
    if not maker.is_active(rules.default_provider):
        return
    if "*" in found:
        problems.add(
            "ambiguous-model-group",
            path,
            "routing_rules",
            message="default_provider becomes the wildcard '*', as a pattern does; as it is, the pattern"
            " answers",
            hint="remove one of the two",
        )
        return
    everything = Pattern(pattern=".*", provider=rules.default_provider, fallback=rules.default_fallback)
    first = maker.make_wildcard(rules.default_provider, "*", path)
    place: Path = ("routing_rules", "default_fallback")
    single = (
        rules.default_fallback
        and len(getattr(maker.providers.get(rules.default_fallback), "models", ())) == 1
    )
    if (
        single
        and maker.is_active(str(rules.default_fallback))
        and rules.default_fallback != rules.default_provider
    ):
        # A server with one model answers with that one; passing on any name would only get a refusal.
        only = maker.providers[str(rules.default_fallback)].models[0].name
        second: tuple[Deployment, ...] = (
            maker.make(str(rules.default_fallback), only, "model-mappings", place),
        )
    else:
        second = _second("*", everything, place, groups=groups, maker=maker, problems=problems)
    found["*"] = _with_second(first, second)


def _with_second(first: Deployment, second: tuple[Deployment, ...]) -> tuple[Deployment, ...]:
    if not second:
        return (first,)
    return in_order([(first,), tuple(_without_prefix(deployment) for deployment in second)])


def _without_prefix(deployment: Deployment) -> Deployment:
    """Name the provider beside the model: before it, `/v1/models` lists all that LiteLLM knows of it."""
    if "custom_llm_provider" in deployment.litellm_params:
        return deployment
    kind, slash, model = str(deployment.litellm_params["model"]).partition("/")
    if not slash:
        return deployment
    return deployment.with_params(model=model, custom_llm_provider=kind)


def _report_order(mappings: ModelMappingsFile, places: Mapping[str, int], problems: Problems) -> None:
    """Report a pattern that stands first in the file and comes second at the gateway."""
    for one, other in _nested(sorted(places, key=lambda text: (text.partition("*")[0], places[text]))):
        earlier, later = sorted((one, other), key=places.__getitem__)
        if specificity(later) <= specificity(earlier):
            continue
        name = example_of_both(earlier, later)
        assert name is not None, "the beginning of one begins the other"
        first, second = mappings.patterns[places[earlier]], mappings.patterns[places[later]]
        problems.add(
            "pattern-order",
            ("patterns", places[earlier], "pattern"),
            first.pattern,
            message=f"a name such as {name!r} matches pattern {first.pattern!r} and, further down,"
            f" {second.pattern!r};"
            f" LiteLLM takes the longer one, {later!r}",
            hint="put the more specific pattern first, so that the file says what happens",
        )


def _nested(ordered: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of wildcards of which one's literal beginning begins the other's."""
    open_ones: list[str] = []
    for text in ordered:
        start = text.partition("*")[0]
        while open_ones and not start.startswith(open_ones[-1].partition("*")[0]):
            open_ones.pop()
        for other in open_ones:
            yield other, text
        open_ones.append(text)

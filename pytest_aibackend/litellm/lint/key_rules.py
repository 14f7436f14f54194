"""Keys that LiteLLM does not know, or not there, or that are lacking."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import departures_of, dotted, nearness_of
from pytest_aibackend.litellm.lint.invented import instead_of
from pytest_aibackend.litellm.lint.nearness import is_close
from pytest_aibackend.litellm.lint.shape import Departure, Kind
from pytest_aibackend.litellm.schema import Schema, Section, load_schema, shipped_lines
from pytest_aibackend.sources.secrets import show_value

__all__: list[str] = []

_CONSEQUENCES: Final = {
    "rejected": "refuses to start because of it",
    "warned": "drops it with a line in its log",
    "ignored": "never reads it",
    "forwarded": "sends it on to the provider",
    "stored": "keeps it and never reads it",
}
_OPEN: Final = ("forwarded", "stored")
_LISTED_ONLY: Final = "types/utils.py"  # has a list of words that are kept from providers, and reads none
# Homes that are named for a key in the wrong place, the likeliest first.
_HOMES: Final = (
    "general_settings",
    "router_settings",
    "litellm_settings",
    "",
    "deployment",
    "litellm_params",
    "cache_params",
    "model_info",
)
# Where the likeliest home is another.
_MEANT_FOR: Final = {
    **dict.fromkeys(("api_base", "api_key", "rpm", "tpm"), "litellm_params"),
    **dict.fromkeys(("ttl", "type"), "cache_params"),
    "guardrails": "",
}
_ROUTES: Final = {
    "": "at the top",
    "deployment": "in an entry of model_list",
    "litellm_params": "under the litellm_params of a deployment",
    "model_info": "under the model_info of a deployment",
    "cache_params": "under cache_params in litellm_settings",
    "guardrail_params": "under the litellm_params of the guardrail",
}
# Sections that people call so.
_SECTIONS: Final = {
    "models": "model_list",
    "environment": "environment_variables",
    "env": "environment_variables",
    "includes": "include",
    "mcp_settings": "mcp_servers",
    "mcp": "mcp_servers",
}
_REFUSED: Final = ("health_check_interval", "health_check_concurrency")  # by router_settings
# What servers take, and looks like a key of LiteLLM's: those of vLLM, KoboldCpp, OpenRouter.
_OF_SERVERS: Final = frozenset({"min_tokens", "top_a", "models", "plugins", "prompts"})
_OWN_PLACES: Final = ("types/router.py", "main.py")  # the class, and what a completion takes
_SHORT: Final = 6  # letters: of shorter words one is soon another

_own: Final[weakref.WeakKeyDictionary[Schema, frozenset[str]]] = weakref.WeakKeyDictionary()


@lint_rule("unread-section", severity=Severity.WARNING, where="proxy/proxy_server.py, load_config (1.106.2)")
def unread_section(context: LintContext) -> Iterator[LintProblem]:
    """The file has a section at its top that LiteLLM never reads.

    It has no effect and looks as if it had; LiteLLM says nothing. It is an error where the name is close to
    one that LiteLLM reads. What only holds anchors may have a name that begins with `x-`.
    """
    for departure in departures_of(context, Kind.UNKNOWN):
        name = departure.key
        if (
            len(departure.path) > 1
            or _homes(context.schema, departure)
            or context.document.is_aliased(departure.value)
        ):
            continue
        instead = instead_of(name, "")
        meant = None if instead else _section_meant(context, name)
        otherwise = instead or "remove it, or name it x-... if it only holds anchors"
        yield LintProblem(
            path=departure.path,
            message=f"LiteLLM does not read {name!r}",
            hint=f"did you mean {meant!r}?" if meant else otherwise,
            severity=Severity.ERROR if meant else None,
        )


@lint_rule(
    "unknown-key",
    severity=Severity.WARNING,
    where="proxy/proxy_server.py, load_config; caching/caching.py, Cache (1.106.2)",
)
def unknown_key(context: LintContext) -> Iterator[LintProblem]:
    """A section holds a key that LiteLLM does not know there.

    LiteLLM drops it without a word under `general_settings` and `litellm_settings`, with a line in its log
    under `router_settings`; under `cache_params` of a Redis cache it refuses to start. Under
    `litellm_params` it sends the key on to the provider, so that only a likely misspelling is reported.
    It is an error where the key is close to one that LiteLLM knows, or stops LiteLLM.
    """
    for departure in departures_of(context, Kind.UNKNOWN):
        if len(departure.path) == 1 or _homes(context.schema, departure):
            continue
        section = context.schema.section(departure.section)
        is_open = _is_open(section, departure)
        meant = _meant(context, section, departure)
        if is_open and not meant:
            continue
        is_sure = meant is not None and is_close(departure.key, meant)
        refused = departure.on_unknown == "rejected" and (
            section.name != "cache_params" or _is_redis(context)
        )
        yield LintProblem(
            path=departure.path,
            message=f"LiteLLM knows no {departure.key!r} under {dotted(departure.path[:-1])}:"
            f" it {_consequence(departure, refused=refused)}",
            hint=f"did you mean {meant!r}?" if is_sure else _what_else(context, departure, meant),
            severity=Severity.ERROR if refused or (is_sure and not is_open) else None,
        )


@lint_rule("misplaced-key", where="proxy/proxy_server.py, load_config (1.106.2)")
def misplaced_key(context: LintContext) -> Iterator[LintProblem]:
    """A key stands in a section where LiteLLM does not read it, and belongs to another.

    It has no effect: `fallbacks` under `general_settings` never help, a `master_key` outside of it protects
    nothing. `health_check_interval` under `router_settings` stops LiteLLM. Move the key.
    """
    for departure in departures_of(context, Kind.UNKNOWN):
        homes = _homes(context.schema, departure)
        if not homes or departure.key == "master_key":  # which has a rule of its own
            continue
        names = " or ".join(_ROUTES.get(home, f"under {home}") for home in homes)
        refused = departure.section == "router_settings" and departure.key in _REFUSED
        yield LintProblem(
            path=departure.path,
            message=f"{departure.key!r} stands {_under(departure)}, where LiteLLM"
            f" {_consequence(departure, refused=refused)}; it belongs {names}",
            hint=f"move it {names}".replace("at the top", "to the top"),
            severity=Severity.WARNING if departure.on_unknown in _OPEN else None,
        )


@lint_rule("wrong-key-type", where="proxy/proxy_server.py, load_config (1.106.2)")
def wrong_key_type(context: LintContext) -> Iterator[LintProblem]:
    """A key is not text: YAML reads an unquoted `off`, `no`, `1` or `2024-01-01` as something else.

    LiteLLM refuses to start because of it, or drops the deployment. Quote the key.
    """
    for departure in departures_of(context, Kind.KEY_TYPE):
        shown = show_value(None, departure.key)
        yield LintProblem(
            path=departure.path,
            message=f"{dotted(departure.path[:-1])} has the key {shown}, which YAML does not read as text",
            hint="quote it, or remove it",
        )


@lint_rule("missing-key", where="router.py, set_model_list; proxy/guardrails/init_guardrails.py (1.106.2)")
def missing_key(context: LintContext) -> Iterator[LintProblem]:
    """A mapping lacks a key without which LiteLLM cannot use it.

    A deployment needs a `model_name`, a guardrail its name and `litellm_params`, a routing group its models:
    LiteLLM refuses to start, or drops the deployment. A pass-through endpoint without `target` is not served.
    """
    for departure in departures_of(context, Kind.MISSING):
        if departure.section in ("deployment", "litellm_params") and departure.key != "model_name":
            continue  # deployment-without-model speaks of them
        yield LintProblem(
            path=departure.path,
            message=f"{dotted(departure.path)} has no {departure.key}",
            hint=f"add {departure.key}",
        )


def _homes(schema: Schema, departure: Departure) -> list[str]:
    """Return the sections that an unknown key belongs to."""
    key, section = departure.key, departure.section
    known = schema.homes(key)
    if section == "guardrail":
        return [home for home in known if home == "guardrail_params"]
    is_servers = section == "litellm_params" and key in _OF_SERVERS
    is_renamed = section == "" and key in _SECTIONS
    if section not in _HOMES or is_servers or is_renamed or instead_of(key, section):
        return []
    homes: list[str] = [home for home in _HOMES if home in known and home != section]
    if section not in ("deployment", "model_info") and "litellm_params" in homes:
        reads = schema.section("litellm_params").keys[key].reads
        if all(place.startswith(_LISTED_ONLY) for place in reads):
            homes.remove("litellm_params")
    if section == "model_info":  # anything may be noted there; what directs requests is no note
        homes = [home for home in homes if home == "litellm_params"]
        return [home for home in homes if schema.section(home).keys[key].of_deployment]
    if section == "deployment" and "litellm_params" in homes:
        return ["litellm_params"]
    if _MEANT_FOR.get(key) in homes:
        return [_MEANT_FOR[key]]
    # A name that a section of settings has is meant for that one, though Redis may have it, too.
    return [home for home in homes if home.endswith("_settings")] or homes[:1]


def _section_meant(context: LintContext, name: str) -> str | None:
    """Return the section that was surely meant."""
    known = context.schema.section("").keys
    if name in _SECTIONS:
        return _SECTIONS[name] if _SECTIONS[name] in known else None
    near = nearness_of(context).find(name, known)
    return near if near and is_close(name, near) else None


def _is_open(section: Section, departure: Departure) -> bool:
    """Say whether other keys may stand there, too, so that only a misspelling is one."""
    return section.is_open_class or departure.on_unknown in _OPEN


def _meant(context: LintContext, section: Section, departure: Departure) -> str | None:
    """Return the key that was probably meant."""
    near, key = nearness_of(context), departure.key
    if section.name == "litellm_params" and key in _OF_SERVERS:
        return None
    if not _is_open(section, departure):
        return near.find(key, section.keys)
    if section.name == "litellm_params":  # most of its keys are for one provider or another
        return near.find_typo(key, _own_params(context.schema))
    meant = near.find_typo(key, section.keys)
    if meant and section.name == "model_info" and len(key) < _SHORT and sorted(key) != sorted(meant):
        return None  # a note
    return meant


def _what_else(context: LintContext, departure: Departure, near: str | None) -> str:
    instead = instead_of(departure.key, departure.section)
    if instead is not None:
        return instead
    other = _knowing_version(departure)
    if other is not None:
        return f"LiteLLM {other} reads it, and {context.schema.version} does not: remove it"
    if near is not None:
        return f"remove it; the nearest that LiteLLM knows is {near!r}"
    return "remove it, or look the key up in LiteLLM's documentation"


def _knowing_version(departure: Departure) -> str | None:
    """Return another version of LiteLLM that knows the key, the newest that is shipped."""
    for line in reversed(shipped_lines()):
        sections = load_schema(line).sections
        if departure.section in sections and departure.key in sections[departure.section].keys:
            return line
    return None


def _own_params(schema: Schema) -> frozenset[str]:
    if schema not in _own:
        keys = schema.section("litellm_params").keys
        _own[schema] = frozenset(name for name, key in keys.items() if key.is_read_in(*_OWN_PLACES))
    return _own[schema]


def _is_redis(context: LintContext) -> bool:
    settings = context.document.section("litellm_settings")
    kind = context.document.section("litellm_settings", "cache_params").get("type")
    return settings.get("cache") is True and kind in (None, "redis", "redis-semantic")


def _consequence(departure: Departure, *, refused: bool) -> str:
    if refused:
        return _CONSEQUENCES["rejected"]
    return _CONSEQUENCES["ignored" if departure.on_unknown == "rejected" else departure.on_unknown]


def _under(departure: Departure) -> str:
    return f"under {dotted(departure.path[:-1])}" if len(departure.path) > 1 else "at the top"

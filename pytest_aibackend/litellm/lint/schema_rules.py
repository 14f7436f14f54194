"""Keys that LiteLLM does not know, or not there, and values that it cannot use."""

from __future__ import annotations

import datetime as dt
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import FALLBACK_KINDS
from pytest_aibackend.litellm.lint.nearness import Nearness
from pytest_aibackend.litellm.lint.shape import Departure, Kind, departures, type_name
from pytest_aibackend.litellm.schema import Schema
from pytest_aibackend.sources.secrets import is_secret_key, show_value
from pytest_aibackend.sources.wording import listed

__all__ = ["departures_of"]

_CONSEQUENCES: Final = {
    "rejected": "refuses to start because of it",
    "warned": "drops it with a line in its log",
    "ignored": "never reads it",
    "forwarded": "sends it on to the provider",
    "stored": "keeps it and never reads it",
}
_OPEN: Final = ("forwarded", "stored")
# Words for sections that people expect, and what LiteLLM has in their place.
_INSTEAD: Final = {
    "models": "did you mean 'model_list'?",
    "server_settings": "host and port are options of the command line: --host, --port",
    "server": "host and port are options of the command line: --host, --port",
    "rate_limit_settings": "write rpm and tpm into the litellm_params of each deployment",
    "debug": "use the option --debug, or set LITELLM_LOG=DEBUG",
    "log_level": "set LITELLM_LOG=DEBUG",
    "environment": "did you mean 'environment_variables'?",
    "env": "did you mean 'environment_variables'?",
    "includes": "did you mean 'include'?",
}
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
_LISTED: Final = {
    ("router_settings", "routing_strategy"): "routing_strategy",
    ("cache_params", "type"): "cache_type",
    ("model_info", "mode"): "model_mode",
}
_SHAPED: Final = ("model_group_alias", *FALLBACK_KINDS)
_FORMS: Final = {
    **dict.fromkeys(FALLBACK_KINDS, "write a list of mappings: - name: [first, second]"),
    "default_fallbacks": "write a list of names: [first, second]",
    "model_group_alias": "write a mapping: alias: model group",
    "model_list": "begin each deployment with - model_name:",
}
_REFUSED: Final = ("health_check_interval", "health_check_concurrency")  # by router_settings
_NOUNS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
    "date": "a date",
}

_walked: Final[weakref.WeakKeyDictionary[LintContext, tuple[list[Departure], Nearness]]] = (
    weakref.WeakKeyDictionary()
)


def departures_of(context: LintContext, *kinds: Kind) -> Iterator[Departure]:
    """Yield where the config departs from the schema, in these ways."""
    return (each for each in _walk(context)[0] if each.kind in kinds)


def _walk(context: LintContext) -> tuple[list[Departure], Nearness]:
    if context not in _walked:
        _walked[context] = departures(context.document.data, context.schema), Nearness()
    return _walked[context]


@lint_rule("unread-section", severity=Severity.WARNING, where="proxy/proxy_server.py, load_config (1.106.2)")
def unread_section(context: LintContext) -> Iterator[LintProblem]:
    """The file has a section at its top that LiteLLM never reads.

    It has no effect and looks as if it had; LiteLLM says nothing. It is an error where the name is close to
    one that LiteLLM reads. What only holds anchors may have a name that begins with `x-`.
    """
    near = _walk(context)[1]
    aliased = {each for file in context.document.files if file.document for each in file.document.aliased}
    for departure in departures_of(context, Kind.UNKNOWN):
        name = departure.key
        if len(departure.path) > 1 or _homes(context.schema, departure) or _holds(departure.value, aliased):
            continue
        meant = near.find(name, context.schema.section("").keys)
        hint = f"did you mean {meant!r}?" if meant else "remove it, or name it x-... if it only holds anchors"
        yield LintProblem(
            path=departure.path,
            message=f"LiteLLM does not read {name!r}",
            hint=_INSTEAD.get(name, hint),
            severity=Severity.ERROR if "did you mean" in _INSTEAD.get(name, hint) else None,
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
    near = _walk(context)[1]
    declared: dict[str, list[str]] = {}
    for departure in departures_of(context, Kind.UNKNOWN):
        if len(departure.path) == 1 or _homes(context.schema, departure):
            continue
        section = context.schema.section(departure.section)
        # A class may give another name to a key before it looks for it, so that any key may be meant there.
        is_class = section.route is None and departure.on_unknown != "rejected"
        is_open = is_class or departure.on_unknown in _OPEN
        if section.name not in declared:
            names = [*section.keys]
            own = [name for name in names if _is_declared(section.keys[name].reads)]
            declared[section.name] = own if is_open and not is_class else names
        known = declared[section.name]
        # In an open section a key that is nearly LiteLLM's own is probably not meant as it stands.
        meant = near.find_typo(departure.key, known) if is_open else near.find(departure.key, known)
        if is_open and not meant:
            continue
        refused = departure.on_unknown == "rejected" and (
            section.name != "cache_params" or _is_redis(context)
        )
        yield LintProblem(
            path=departure.path,
            message=f"LiteLLM knows no {departure.key!r} under {_place(departure)}:"
            f" it {_consequence(departure, refused=refused)}",
            hint=f"did you mean {meant!r}?"
            if meant
            else "remove it, or look the key up in LiteLLM's documentation",
            severity=Severity.ERROR if refused or (meant and not is_open) else None,
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
        names = " or ".join(_route(context.schema, home) for home in homes)
        refused = departure.section == "router_settings" and departure.key in _REFUSED
        yield LintProblem(
            path=departure.path,
            message=f"{departure.key!r} stands {_under(departure)}, where LiteLLM"
            f" {_consequence(departure, refused=refused)}; it belongs {names}",
            hint=f"move it {names}",
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
            message=f"{_place(departure)} has the key {shown}, which YAML does not read as text",
            hint="quote it, or remove it",
        )


@lint_rule(
    "wrong-type",
    where="types/router.py, LiteLLM_Params; router.py, Router.__init__; proxy/_types.py (1.106.2)",
)
def wrong_type(context: LintContext) -> Iterator[LintProblem]:
    """A value is of another type than LiteLLM uses: a word for a number, a list for a mapping.

    Under `litellm_params` LiteLLM drops the deployment; under `router_settings` nothing looks at the type,
    so that `num_retries: "1"` retries nothing and `timeout: 25s` fails every request; a section that is no
    mapping is passed over or stops LiteLLM. Write the value as the message says.
    """
    for departure in departures_of(context, Kind.TYPE):
        if len(departure.path) > 2 and departure.path[1] in _SHAPED:
            continue  # alias-shape and fallback-shape speak of them
        key = departure.path[-1] if departure.path else None
        wanted = " or ".join(_NOUNS[kind] for kind in departure.wanted)
        yield LintProblem(
            path=departure.path,
            message=f"{_dotted(departure)} is {_shown(key, departure.value)}, and should be {wanted}",
            hint=_type_hint(departure),
            severity=Severity.WARNING if departure.inferred or departure.on_unknown == "stored" else None,
        )


@lint_rule(
    "unknown-value", where="router_utils/routing_groups.py; types/caching.py; types/router.py (1.106.2)"
)
def unknown_value(context: LintContext) -> Iterator[LintProblem]:
    """A value is not among those that LiteLLM knows, such as a routing strategy or a type of cache.

    LiteLLM refuses to start, drops the deployment, or goes on as if nothing had been set. Write one of the
    values that the message names.
    """
    near = _walk(context)[1]
    for departure in departures_of(context, Kind.VALUE):
        key = departure.path[-1]
        allowed = _allowed(context.schema, departure)
        in_guardrail = departure.path[0] == "guardrails"  # whose classes do not mind the case
        if departure.value in allowed or (in_guardrail and str(departure.value).lower() in allowed):
            continue
        texts = [each for each in allowed if isinstance(each, str)]
        meant = near.find(departure.value, texts) if isinstance(departure.value, str) else None
        yield LintProblem(
            path=departure.path,
            message=f"{_dotted(departure)} is {show_value(key, departure.value)};"
            f" LiteLLM knows {listed(allowed, shown=12)}",
            hint=f"did you mean {meant!r}?" if meant else "write one of these",
            severity=Severity.WARNING if departure.on_unknown == "stored" else None,
        )


@lint_rule("value-out-of-range", where="proxy/_types.py, ConfigGeneralSettings; types/router.py (1.106.2)")
def value_out_of_range(context: LintContext) -> Iterator[LintProblem]:
    """A number is smaller or larger than LiteLLM allows.

    LiteLLM refuses to start, drops the deployment, or never comes to the limit. Write a number within the
    bounds.
    """
    for departure in departures_of(context, Kind.RANGE):
        yield LintProblem(
            path=departure.path,
            message=f"{_dotted(departure)} is {departure.value}, and must be {departure.wanted[0]}",
            hint=f"write a number that is {departure.wanted[0]}",
        )


@lint_rule("missing-key", where="router.py, set_model_list; proxy/guardrails/init_guardrails.py (1.106.2)")
def missing_key(context: LintContext) -> Iterator[LintProblem]:
    """A mapping lacks a key without which LiteLLM cannot use it.

    A deployment needs a `model_name`, a guardrail its name and `litellm_params`: LiteLLM refuses to start.
    """
    for departure in departures_of(context, Kind.MISSING):
        if departure.path[0] == "model_list" and departure.key != "model_name":
            continue  # deployment-without-model speaks of them
        yield LintProblem(
            path=departure.path,
            message=f"{_dotted(departure)} has no {departure.key}",
            hint=f"add {departure.key}",
        )


def _homes(schema: Schema, departure: Departure) -> list[str]:
    """Return the sections that an unknown key belongs to."""
    known = schema.homes(departure.key)
    homes: list[str] = [home for home in _HOMES if home in known and home != departure.section]
    if departure.section == "model_info":  # anything may be noted there; what directs requests is no note
        homes = [home for home in homes if home == "litellm_params"]
        homes = [home for home in homes if _is_declared(schema.section(home).keys[departure.key].reads)]
    if departure.section == "deployment" and "litellm_params" in homes:
        return ["litellm_params"]
    if departure.section not in _HOMES:
        return []
    # A name that a section of settings has is meant for that one, though Redis may have it, too.
    return [home for home in homes if home.endswith("_settings")] or homes[:1]


def _is_declared(reads: Sequence[str]) -> bool:
    return any(place.startswith("types/router.py") for place in reads)


def _holds(value: Any, aliased: set[int]) -> bool:
    """Say whether something in a value is named by an alias elsewhere, so that it is there for a reason."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return id(value) in aliased or any(id(item) in aliased for item in items)


def _is_redis(context: LintContext) -> bool:
    settings = context.document.section("litellm_settings")
    kind = context.document.section("litellm_settings", "cache_params").get("type")
    return settings.get("cache") is True and kind in (None, "redis", "redis-semantic")


def _consequence(departure: Departure, *, refused: bool) -> str:
    if refused:
        return _CONSEQUENCES["rejected"]
    return _CONSEQUENCES["ignored" if departure.on_unknown == "rejected" else departure.on_unknown]


def _route(schema: Schema, section: str) -> str:
    route = schema.section(section).route
    return f"under {route}" if route else "at the top"


def _under(departure: Departure) -> str:
    return f"under {_place(departure)}" if len(departure.path) > 1 else "at the top"


def _place(departure: Departure) -> str:
    return dotted(departure.path[:-1])


def _dotted(departure: Departure) -> str:
    return dotted(departure.path)


def dotted(path: Sequence[Any]) -> str:
    """Return a path as people write it: model_list[0].litellm_params."""
    text = ""
    for step in path:
        if isinstance(step, int) and not isinstance(step, bool):
            text += f"[{step}]"
        else:
            name = str(step) if str(step).isprintable() else repr(step)
            text += f".{name}" if text else name
    return text or "the file"


def _allowed(schema: Schema, departure: Departure) -> tuple[Any, ...]:
    """Return the values allowed for a key: LiteLLM's own lists know more than its types."""
    kind = _LISTED.get((departure.section, str(departure.path[-1])))
    return tuple(sorted(schema.values(kind))) if kind else departure.allowed


def _noun(value: Any) -> str:
    kind = type_name(value)
    return _NOUNS.get(kind, kind)


def _shown(key: Any, value: Any) -> str:
    if isinstance(value, (dict, list)):
        return _noun(value)
    if is_secret_key(key):
        return _noun(value)
    return f"the text {show_value(key, value)}" if isinstance(value, str) else show_value(key, value)


def _type_hint(departure: Departure) -> str:
    value, wanted = departure.value, departure.wanted
    if 1 <= len(departure.path) <= 2 and departure.path[-1] in _FORMS:
        return _FORMS[departure.path[-1]]
    if "string" in wanted and isinstance(value, (int, float, dt.date)):
        return "put it in quotes"
    if isinstance(value, str) and any(kind in wanted for kind in ("integer", "number")):
        return "write the number alone, without quotes or unit"
    if isinstance(value, str) and "boolean" in wanted:
        return "write true or false, without quotes"
    if "array" in wanted and not isinstance(value, dict):
        return "write a list: [first, second], or one item a line after -"
    return "look at the indentation, and at LiteLLM's documentation for the key"

"""LiteLLM's errors in plain words: what its log says, told with the place in the file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pytest_aibackend.deploy.canary.copy import named_variables, show_path, walk
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import is_secret_key, redact_line

__all__ = [
    "drop_reasons",
    "explain_error",
    "explain_exit",
    "hide",
    "is_port_taken",
    "last_error",
    "redact",
    "secret_values",
]

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_TRACEBACK: Final = "Traceback (most recent call last):"
_LOG_LINE: Final = re.compile(r"(INFO|WARNING|ERROR|CRITICAL|DEBUG): |\d\d:\d\d:\d\d - ")
_DROPPED: Final = re.compile(r"Error creating deployment: (.*?), ignoring and continuing", re.DOTALL)
_INPUT: Final = re.compile(r"input_value=.*?(, input_type|\])", re.DOTALL)
_FURTHER: Final = re.compile(r"\s*For further information visit \S+?(?=,|\s|$)")
_VALIDATION: Final = re.compile(
    r"validation errors? for (?P<model>\w+)\n\s*(?P<field>\S+)\n\s*(?P<said>.*?)\s*\[type=", re.DOTALL
)
_PAIR: Final = re.compile(
    r"""(?P<key>[\w.\-]+)(?P<is>["']?\s*[:=]\s*)(?P<value>"[^"]*"|'[^']*'|(?=\S*\d)[^\s,;)\]}]{6,})"""
)
_MODULES: Final = re.compile(r"^(?:\w+\.)+(?=\w+(?::|$))")  # of an exception's class
_SHOWN: Final = 400
_SHORTEST_SECRET: Final = 4

Words = Callable[[re.Match[str], Any], str]


def explain_exit(log: str, status: int, data: Any) -> str:
    """Return one sentence on why LiteLLM ended with this status; a negative one is a signal's number."""
    if status == -9:
        return "LiteLLM was killed while it booted: out of memory, or somebody ended it"
    if status < 0:
        return f"LiteLLM was ended by signal {-status} while it booted"
    error = last_error(log)
    if not error:
        return f"LiteLLM ended with status {status} and said nothing of the reason"
    return explain_error(error, data)


def explain_error(error: str, data: Any) -> str:
    """Return one sentence for an exception that LiteLLM ended with; `data` is the configuration, parsed."""
    for pattern, words in _KNOWN:
        match = pattern.search(error)
        if match is not None and (said := words(match, data)):
            return said
    return f"LiteLLM refuses the candidate: {_tidy(error)}"


def last_error(log: str) -> str:
    """Return the last exception of a log with its message, or the last line there is."""
    plain = _ANSI.sub("", log)
    _, found, after = plain.rpartition(_TRACEBACK)
    if not found:
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        return lines[-1] if lines else ""
    lines = after.splitlines()[1:]
    while lines and (not lines[0] or lines[0].startswith(" ")):
        lines.pop(0)  # the frames
    message = []
    for line in lines:
        if not line.strip() or _LOG_LINE.match(line):
            break
        message.append(line.strip())
    return "\n".join(message)


def drop_reasons(log: str) -> list[str]:
    """Return why LiteLLM dropped deployments, in the order of the file."""
    return [_drop_reason(error) for error in _DROPPED.findall(_ANSI.sub("", log))]


def _drop_reason(error: str) -> str:
    provider = re.search(r"LLM Provider NOT provided.*?model=(\S*)", error, re.DOTALL)
    if provider is not None:
        prefix, slash, _ = provider[1].partition("/")
        return f"unknown provider prefix '{prefix}/'" if slash else f"model '{prefix}' names no provider"
    field = _VALIDATION.search(error)
    return f"{field['field']}: {field['said']}" if field is not None else _tidy(error)


def is_port_taken(log: str) -> bool:
    """Say whether LiteLLM could not listen because somebody else does."""
    return "address already in use" in log.lower()


def secret_values(environment: Mapping[str, str], data: Any) -> list[str]:
    """Return the values that must never be shown, the longest first."""
    found = {value for name, value in environment.items() if is_secret_key(name)}
    for name, paths in named_variables(data).items():
        if any(is_secret_key(path[-1]) for path in paths if path):
            found.add(environment.get(name, ""))
    for path, value in walk(data):
        if path and is_secret_key(path[-1]) and isinstance(value, str) and not is_reference(value):
            found.add(value)
    return sorted((value for value in found if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text without these values."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def redact(text: str) -> str:
    """Return a line of a log or an answer without what may be a secret."""

    def conceal(match: re.Match[str]) -> str:
        return f"{match['key']}{match['is']}***" if is_secret_key(match["key"]) else match[0]

    return redact_line(_PAIR.sub(conceal, text))


def _tidy(error: str) -> str:
    text = _INPUT.sub(r"input_value=***\1", _FURTHER.sub("", _MODULES.sub("", error)))
    text = " ".join(redact(line.strip()) for line in text.splitlines())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


# -- what is known of its refusals (LiteLLM 1.106.2)


def _no_master_key(match: re.Match[str], _: Any) -> str:
    what = {
        "no master key is set": "neither general_settings.master_key nor LITELLM_MASTER_KEY is set",
        "the master key is empty": "the master key is empty",
        "the master key is a publicly known default": "the master key is a published example",
    }[match[1]]
    return f"{what}: LiteLLM refuses to start; put a key of your own into the service's environment"


def _routing_strategy(match: re.Match[str], _: Any) -> str:
    known = ", ".join(re.findall(r"'([\w-]+)'", match[2]))
    return f"router_settings.routing_strategy is '{match[1]}', which LiteLLM does not know; it knows {known}"


def _fallback_keys(match: re.Match[str], _: Any) -> str:
    try:
        keys = ", ".join(repr(str(key)) for key in ast.literal_eval(match[1]))
    except (ValueError, SyntaxError):
        keys = match[1]
    return f"one entry of the fallbacks has {match[2]} keys ({keys}); each entry must have exactly one"


def _missing_key(match: re.Match[str], data: Any) -> str:
    for index, entry in enumerate(_entries(data)):
        if not isinstance(entry, dict):
            continue
        name = f"model_list[{index}] ({entry.get('model_name')!r})"
        parameters = entry.get("litellm_params")
        if match[1] == "litellm_params" and "litellm_params" not in entry:
            return f"{name} has no litellm_params: LiteLLM refuses the whole file"
        if match[1] == "model" and isinstance(parameters, dict) and "model" not in parameters:
            return f"{name} names no litellm_params.model: LiteLLM refuses the whole file"
    return ""


def _import(match: re.Match[str], data: Any) -> str:
    named = f"{match['module']}.{match['name']}"
    places = [show_path(path) for path, value in walk(data) if value == named]
    where = f"{places[0]} names {named}, but " if places else ""
    return f"{where}LiteLLM cannot import '{match['name']}' from '{match['module']}'"


def _misplaced(match: re.Match[str], _: Any) -> str:
    return f"router_settings.{match[1]}: LiteLLM takes it under general_settings only, and refuses the file"


def _redis_argument(match: re.Match[str], _: Any) -> str:
    return f"cache_params.{match[1]}: the Redis client knows no such setting, and LiteLLM refuses the file"


def _model_name(_: re.Match[str], data: Any) -> str:
    for index, entry in enumerate(_entries(data)):
        name = entry.get("model_name") if isinstance(entry, dict) else ""
        if not isinstance(name, str):
            return f"model_list[{index}].model_name is {name}, no text: put it in quotes"
    return ""


def _wrong_shape(match: re.Match[str], data: Any) -> str:
    for index, entry in enumerate(_entries(data)):
        if not isinstance(entry, dict):
            return f"model_list[{index}] is no mapping of model_name and litellm_params"
        if not isinstance(entry.get("litellm_params"), dict):
            return f"model_list[{index}].litellm_params is no mapping"
    router = data.get("router_settings") if isinstance(data, dict) else None
    alias = router.get("model_group_alias") if isinstance(router, dict) else None
    if match[1] == "list" and isinstance(alias, list):
        return "router_settings.model_group_alias is a list; LiteLLM wants a mapping of alias to model group"
    return ""


def _validation(match: re.Match[str], _: Any) -> str:
    return f"LiteLLM refuses the candidate: {match['model']}.{match['field']}: {match['said']}"


def _entries(data: Any) -> list[Any]:
    listed = data.get("model_list") if isinstance(data, dict) else None
    return listed if isinstance(listed, list) else []


_KNOWN: Final[tuple[tuple[re.Pattern[str], Words], ...]] = (
    (
        re.compile(
            r"refused to start: (no master key is set|the master key is empty"
            r"|the master key is a publicly known default)"
        ),
        _no_master_key,
    ),
    (re.compile(r"Invalid routing_strategy: '([^']*)'\. Valid options: \[([^\]]*)\]"), _routing_strategy),
    (
        re.compile(r"Dictionary '(.*)' must have exactly one key, but has (\d+) keys", re.DOTALL),
        _fallback_keys,
    ),
    (re.compile(r"^KeyError: '(litellm_params|model)'"), _missing_key),
    (re.compile(r"Could not import (?P<name>\S+) from (?P<module>\S+)"), _import),
    (re.compile(r"module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'"), _import),
    (re.compile(r"'(\w+)' is NOT a valid router_settings parameter"), _misplaced),
    (re.compile(r"Redis\w*\.__init__\(\) got an unexpected keyword argument '(\w+)'"), _redis_argument),
    (re.compile(r"sequence item 0: expected str instance, (\w+) found"), _model_name),
    (re.compile(r"'(\w+)' object has no attribute '(?:get|items)'"), _wrong_shape),
    (re.compile(r"'(\w+)' object is not (?:subscriptable|iterable)"), _wrong_shape),
    (_VALIDATION, _validation),
)

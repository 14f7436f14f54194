"""The configuration to import: read as LiteLLM reads it, its includes resolved, refused with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.findings import suggest
from pytest_aibackend.litellm.words import REFERENCE
from pytest_aibackend.sources import yaml_text

__all__ = ["ImportRefusedError", "UnusablePathError", "read_config"]

_MAPPINGS: Final = ("litellm_settings", "general_settings", "environment_variables")


class ImportRefusedError(Exception):
    """The configuration cannot be imported; the text has a line for each reason, without secrets."""


class UnusablePathError(Exception):
    """A file cannot be read or a directory not be written; the text says which and why."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    document: yaml_text.Document


def read_config(path: Path) -> tuple[dict[Any, Any], tuple[Path, ...]]:
    """Return what a configuration says, and the files that it was read from, included ones after it.

    Raises UnusablePathError where the file itself cannot be read, ImportRefusedError for all else.
    """
    try:
        first = _load(path)
    except OSError as error:
        raise UnusablePathError(f"{path} cannot be read: {error.strerror}") from None
    data, files = _with_includes(first)
    reasons = _reasons(data, first if len(files) == 1 else None)
    if reasons:
        raise ImportRefusedError("\n".join(f"{path}{reason}" for reason in reasons))
    return data, tuple(files)


def _load(path: Path) -> _File:
    with path.open("rb") as file:
        raw = file.read(yaml_text.MAX_BYTES + 1)
    document, problems = yaml_text.parse(raw)
    if document is None or not isinstance(document.data, dict):
        lines = [
            f"{path}:{each.line or 1}:{each.column or 1}: {each.message}\n  hint: {each.hint}"
            for each in problems
        ]
        raise ImportRefusedError("\n".join(lines) or f"{path} is no mapping (key: value)")
    return _File(path, document)


def _with_includes(first: _File) -> tuple[dict[Any, Any], list[Path]]:
    """Merge what `include:` names: lists grow, others are replaced (proxy, config_includes.py)."""
    data, seen = dict(first.document.data), [first.path.resolve()]
    pending = _included(first, first.path)
    while pending:
        path = pending.pop(0)
        if path.resolve() in seen:
            continue
        seen.append(path.resolve())
        try:
            file = _load(path)
        except OSError as error:
            message = f"{first.path} includes {path}, which cannot be read: {error.strerror}"
            raise ImportRefusedError(message) from None
        for key, value in file.document.data.items():
            old = data.get(key)
            data[key] = [*old, *value] if isinstance(old, list) and isinstance(value, list) else value
        pending += _included(file, first.path)
    data.pop("include", None)
    return data, seen


def _included(file: _File, root: Path) -> list[Path]:
    listed = file.document.data.get("include", [])
    if not (isinstance(listed, list) and all(isinstance(name, str) for name in listed)):
        raise ImportRefusedError(
            f"{file.path}: include must be a list of files; LiteLLM does not start with it"
        )
    beside = [file.path.parent / name for name in listed]
    return [
        path if path.exists() or not (root.parent / name).exists() else root.parent / name
        for path, name in zip(beside, listed, strict=True)
    ]


def _reasons(data: Mapping[Any, Any], file: _File | None) -> list[str]:
    """Return why LiteLLM itself would not start with it, or serve nothing."""
    reasons = []

    def say(message: str, *path: Any) -> None:
        line, column = file.document.locate(path) if file else (0, 0)
        reasons.append(f":{line}:{column}: {message}" if line else f": {message}")

    listed = data.get("model_list")
    if not isinstance(listed, list) or not listed:
        near = suggest("model_list", [key for key in data if key != "model_list"])
        near = near or next((key for key in ("models", "model") if key in data), None)
        meant = f"; did you mean it where it says {near!r}?" if near else ""
        say(
            f"there is no model_list with deployments in it: LiteLLM would serve nothing{meant}", "model_list"
        )
    for place, entry in enumerate(listed if isinstance(listed, list) else ()):
        trouble = _trouble(entry)
        if trouble:
            say(f"model_list[{place}] {trouble}", "model_list", place)
    for name in _MAPPINGS:
        if data.get(name) is not None and not isinstance(data[name], dict):
            say(f"{name} is no mapping (key: value): LiteLLM does not start with it", name)
    for path in _unwritable(data, ()):
        say(f"{'.'.join(map(str, path))} is binary, which the sources cannot hold", *path)
    return reasons


def _trouble(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return "is no mapping (key: value): LiteLLM does not start with it"
    name, params = entry.get("model_name"), entry.get("litellm_params")
    if not isinstance(name, str):
        return "has no model_name that is text: LiteLLM does not start with it; a number stands in quotes"
    if not isinstance(params, dict):
        return f"({name!r}) has no litellm_params: LiteLLM does not start with it"
    if not isinstance(params.get("model"), str):
        return f"({name!r}) has no litellm_params.model that is text; write provider/model"
    if not isinstance(entry.get("model_info") or {}, dict):
        return f"({name!r}) has a model_info that is no mapping (key: value)"
    if isinstance(params.get("api_key"), int | float):
        return f"({name!r}) has a number for api_key, and LiteLLM drops it; write {REFERENCE}NAME or quote it"
    return None


def _unwritable(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    if isinstance(value, bytes):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in _unwritable(item, (*path, key))]

"""The configuration to import: read as LiteLLM reads it, its includes resolved, refused with reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.findings import Location, suggest
from pytest_aibackend.findings import Path as Steps
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.includes import read_regular_file
from pytest_aibackend.litellm.plan.passthrough import OWN_SECTIONS
from pytest_aibackend.litellm.schema import load_schema
from pytest_aibackend.sources.references import REFERENCE

__all__ = [
    "HalfDoneError",
    "ImportRefusedError",
    "Locate",
    "Original",
    "UnusablePathError",
    "anywhere",
    "read_config",
    "told",
]

Locate = Callable[[Steps], Location]

_MAPPINGS: Final = ("litellm_settings", "general_settings", "environment_variables")
_START: Final = "LiteLLM does not start with it"
_ENTRY: Final = "write - model_name: NAME, and below it litellm_params: with model: PROVIDER/MODEL"
_TOLERATED: Final = ("include-overrides", "include-repeated")


class ImportRefusedError(Exception):
    """The configuration cannot be imported; the text has place, reason and remedy, without secrets."""


class UnusablePathError(Exception):
    """A file cannot be read or a directory not be written; the text says which and why."""


class HalfDoneError(Exception):
    """A directory could neither be written nor put in order again; the text says where everything is."""


@dataclass(frozen=True, slots=True)
class Original:
    """What is imported."""

    data: dict[Any, Any]  # with what it includes, without what only held anchors
    files: tuple[Path, ...]  # that it was read from, included ones last
    locate: Locate
    remarks: tuple[str, ...]


def anywhere(_: Steps) -> Location:
    """Return the place of a path in a configuration that no file holds."""
    return Location(file="config.yaml")


def read_config(path: Path) -> Original:
    """Read a configuration.

    Raises UnusablePathError where the file itself cannot be read, ImportRefusedError for all else.
    """
    try:
        raw = read_regular_file(str(path))
    except OSError as error:
        raise UnusablePathError(f"{path} cannot be read: {error.strerror}") from None
    document = LintDocument.read(raw, str(path), str(path))
    reasons = [*_troubles_of_files(document)] or [*_troubles_of_content(document)]
    if reasons:
        raise ImportRefusedError("\n".join(reasons))
    anchors = _anchors(document)
    data = {key: value for key, value in document.data.items() if key not in ("include", *anchors)}
    return Original(
        data,
        tuple(Path(file.path) for file in document.files if file.path),
        document.locate,
        (
            *(f"{each.location}: {each.message}" for each in document.include_problems),
            *(f"{key!r} only held anchors; what refers to them is written out" for key in anchors),
        ),
    )


def told(place: Location, message: str, hint: str) -> str:
    """Return a reason as it is printed."""
    return f"{place}: {message}\n  hint: {hint}"


def _troubles_of_files(document: LintDocument) -> Iterator[str]:
    for file in document.files:
        for each in file.problems:
            place = Location(file=file.display, line=each.line or 1, column=each.column or 1)
            yield told(place, each.message, each.hint)
        if file.data is None and not file.problems:
            yield told(
                file.locate(()), "the file is no mapping (key: value)", "write model_list: and what follows"
            )
    for problem in document.include_problems:
        if problem.rule not in _TOLERATED:
            yield told(problem.location, problem.message, problem.hint)


def _troubles_of_content(document: LintDocument) -> Iterator[str]:
    """Yield why LiteLLM itself would not start with it, or serve nothing."""
    data = document.data
    listed = data.get("model_list")
    if not isinstance(listed, list) or not listed:
        near = suggest("model_list", [str(key) for key in data if key != "model_list"])
        near = near or next((key for key in ("models", "model") if key in data), None)
        yield told(
            document.locate((near or "model_list",)),
            "there is no model_list with deployments in it: LiteLLM would serve nothing",
            f"write model_list where it says {near!r}" if near else f"write model_list:, {_ENTRY[6:]}",
        )
    for place, entry in enumerate(listed if isinstance(listed, list) else ()):
        if trouble := _trouble(entry):
            message, hint = trouble
            yield told(document.locate(("model_list", place)), f"model_list[{place}] {message}", hint)
    for name in _MAPPINGS:
        if data.get(name) is not None and not isinstance(data[name], dict):
            hint = "write its settings below it, indented, as key: value"
            yield told(document.locate((name,)), f"{name} is no mapping (key: value): {_START}", hint)
    for path in _unwritable(data, ()):
        message = f"{'.'.join(map(str, path))} is binary, which the sources cannot hold"
        yield told(document.locate(path), message, "write text in its place, without !!binary")


def _trouble(entry: Any) -> tuple[str, str] | None:
    """Return what is wrong with an entry of the model list, and the remedy."""
    if not isinstance(entry, dict):
        return f"is no mapping (key: value): {_START}", _ENTRY
    name, params = entry.get("model_name"), entry.get("litellm_params")
    if not isinstance(name, str):
        return (
            f"has no model_name that is text: {_START}",
            "name it; a number, yes, no or off stands in quotes",
        )
    if not isinstance(params, dict):
        return f"({name!r}) has no litellm_params: {_START}", _ENTRY
    if not isinstance(params.get("model"), str):
        return f"({name!r}) has no litellm_params.model that is text: {_START}", "write model: PROVIDER/MODEL"
    if not isinstance(entry.get("model_info") or {}, dict):
        return (
            f"({name!r}) has a model_info that is no mapping (key: value): {_START}",
            "write it as key: value",
        )
    if isinstance(params.get("api_key"), int | float):
        return f"({name!r}) has a number for api_key: LiteLLM drops it", f"write {REFERENCE}NAME, or quote it"
    return None


def _unwritable(value: Any, path: Steps) -> Iterator[Steps]:
    if isinstance(value, bytes):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _unwritable(item, (*path, key))


def _anchors(document: LintDocument) -> list[Any]:
    """Return the sections that are there for their anchors alone: LiteLLM reads none of that name."""
    read = {*load_schema().section("").keys, *OWN_SECTIONS}
    return [key for key, value in document.data.items() if key not in read and document.is_aliased(value)]

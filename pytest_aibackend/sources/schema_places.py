"""Where an error of pydantic stands: in the data of the file, and in words."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from pytest_aibackend.findings import Path
from pytest_aibackend.sources.models import PortsFile

__all__ = [
    "PORT_SECTIONS",
    "SERVICES",
    "dotted",
    "in_file",
    "location_of",
    "subject_of",
    "value_at",
    "with_services",
]

PORT_SECTIONS: Final = ("reserved", "ranges", "metadata", "notes")
SERVICES: Final = "services"


def with_services(data: dict[Any, Any]) -> dict[Any, Any]:
    """Bring ports.yaml, whose services stand beside its sections, into the shape of its model."""
    sections = {key: value for key, value in data.items() if _is_section(key)}
    return {**sections, SERVICES: {key: value for key, value in data.items() if not _is_section(key)}}


def _is_section(key: Any) -> bool:
    return key in PORT_SECTIONS or (isinstance(key, str) and key.startswith("x-"))


def in_file(model: type[BaseModel], path: Path) -> Path:
    """Return the path in the file of a path in the model's data."""
    return path[1:] if model is PortsFile and path[:1] == (SERVICES,) else path


def value_at(data: Any, path: Path) -> Any:
    """Return what stands at a path, None where nothing does."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def location_of(data: Any, details: Any) -> Path:
    """Return the path of an error in the data, with the very keys that the data has.

    pydantic names the key of a mapping that is itself wrong as ("key", "[key]"), and keys that are no text by
    their text or as numbers.
    """
    found: list[Any] = []
    for step in details["loc"]:
        if step != "[key]":
            key = _key_of(data, step) if isinstance(data, dict) else step
            found.append(key)
            data = value_at(data, (key,))
    return tuple(found)


def _key_of(data: dict[Any, Any], step: Any) -> Any:
    """Return the key that pydantic names so; the name itself where there is none, as of a missing key."""
    if isinstance(step, str) and step in data:
        return step
    return next((key for key in data if step in (key, str(key), repr(key))), step)


def subject_of(role: str, path: Path, data: Any) -> str:
    """Return what a place in a file is about: the provider, route, pattern or service that holds it."""
    file = {"generated": "litellm-unified.yaml"}.get(role, f"{role}.yaml")
    if role == "ports":
        return str(path[1] if path[:1] == ("reserved",) and len(path) > 1 else path[0]) if path else file
    if role == "model-mappings" and len(path) > 1 and path[0] == "patterns":
        try:
            return str(data["patterns"][path[1]]["pattern"])
        except (KeyError, TypeError, IndexError):
            return f"patterns[{path[1]}]"
    if role in ("providers", "model-mappings") and len(path) > 1 and path[0] not in ("metadata", "notes"):
        return str(path[1])
    return file


def dotted(path: Path) -> str:
    """Return a path as people write it: `providers.vllm.models[2]`."""
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if shown else str(step)
    return shown

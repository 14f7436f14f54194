"""One LiteLLM configuration in, the four sources out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.importer.deployments import translate_deployments
from pytest_aibackend.importer.document import Locate, anywhere
from pytest_aibackend.importer.notes import Notes
from pytest_aibackend.importer.ports import infer_ports
from pytest_aibackend.importer.secrets import SecretMove, move_secrets
from pytest_aibackend.importer.settings import translate_settings
from pytest_aibackend.litellm.lint.master_key import weakness
from pytest_aibackend.litellm.words import deployments_of, section_of
from pytest_aibackend.litellm.yaml_emit import emit
from pytest_aibackend.sources.backend import FILES

__all__ = ["Imported", "translate"]

_ABOUT: Final = {
    "providers": "Who answers requests: every server and account behind the gateway.",
    "model-mappings": "Which name a client asks for, and who answers it.",
    "ports": "Who listens where on this machine: one entry per service.",
    "gateway": "LiteLLM's own settings, in its own words, and how its file is deployed.",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """The sources that a configuration became, and what there is to tell of it."""

    config: dict[Any, Any]  # the original, with references in place of secrets
    sources: dict[str, dict[str, Any]]  # by role
    secrets: tuple[SecretMove, ...]
    notes: Notes

    def texts(self, origin: str) -> dict[str, str]:
        """Return the text of each file, by its name."""
        named = origin if origin.isprintable() else ascii(origin)
        return {
            FILES[role]: f"# {_ABOUT[role]}\n# Imported from {named} by `aibackend import`.\n\n{emit(data)}"
            for role, data in self.sources.items()
        }


def translate(config: Mapping[Any, Any], *, port: int = 4000, locate: Locate = anywhere) -> Imported:
    """Translate a configuration that `read_config` has passed. Raises ImportRefusedError."""
    notes = Notes()
    safe, secrets = move_secrets(config, locate)
    _note_weak_key(config, secrets, notes)
    found = translate_deployments(safe, notes)
    groups = {entry["model_name"]: None for entry in deployments_of(safe)}
    mapped = {*found.exact_matches, *found.load_balancing}
    is_weighted = any(
        member["weight"] is not None
        for group in found.load_balancing.values()
        for member in group["providers"]
    )
    settings = translate_settings(safe, groups, mapped=mapped, is_weighted=is_weighted, notes=notes)
    passthrough = {"model_list": found.carried, "sections": settings.carried}
    mappings: dict[str, Any] = {
        "exact_matches": found.exact_matches,
        "patterns": found.patterns,
        "capabilities": found.capabilities
        | {alias: {"preferred_models": [target]} for alias, target in settings.aliases.items()},
        "load_balancing": found.load_balancing,
        "fallback_chains": {name: {"chain": chain} for name, chain in settings.chains.items()},
    }
    gateway: dict[str, Any] = dict(settings.sections)
    if any(passthrough.values()):
        gateway["passthrough"] = {name: value for name, value in passthrough.items() if value}
    gateway["deploy"] = {"url": f"http://127.0.0.1:{port}"}
    sources: dict[str, dict[str, Any]] = {
        "providers": {"providers": found.providers},
        "model-mappings": {name: section for name, section in mappings.items() if section}
        or {"exact_matches": {}},
        "ports": infer_ports(safe, found.providers, port=port),
        "gateway": gateway,
    }
    return Imported(safe, sources, secrets, notes)


def _note_weak_key(config: Mapping[Any, Any], secrets: tuple[SecretMove, ...], notes: Notes) -> None:
    """Tell of a master key that is no good where it was: nobody sees it any more once it is a variable."""
    for each in secrets:
        if each.path == ("general_settings", "master_key"):
            reason = weakness(section_of(config, "general_settings")["master_key"])
            if reason:
                notes.say(f"the master key that stood there {reason}; give {each.variable} a new one")

"""Check 5, the gateway's own file: all that the linter says of a LiteLLM config, and secrets in the sources.

The linter's rules are those of `aibackend lint`, docs/lint.md; those that belong to check 5 by contract have
a section in docs/checks.md, too. What is told of the sources is not told of the file made from them again.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.findings import Finding, Path, Problem, Severity
from pytest_aibackend.litellm.lint.catalogue import lint_rules
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.literal_secrets import literal_secrets, urls_with_credentials
from pytest_aibackend.litellm.schema import load_schema
from pytest_aibackend.rules.registry import Group, declare_group, declare_rule, rule
from pytest_aibackend.sources.backend import Backend

__all__ = ["GATEWAY_SCHEMA", "MODEL_GROUPS", "SETTINGS"]

# The linter's rules that check 5 had before there was a linter.
_OF_MODELS: Final = (
    *("deployment-without-model", "api-base-missing", "api-base-path", "api-key-missing"),
    *("alias-shape", "alias-target-unknown"),
)
_OF_SETTINGS: Final = (
    *("model-list-empty", "unread-section", "master-key-unnamed", "master-key-literal"),
    *("cache-without-namespace", "fallback-shape", "fallback-member-unknown"),
)
# Others speak of these: rules about the sources, and check 1.
_ELSEWHERE: Final = frozenset({"unencrypted-key"})
_DROPPED: Final = ("router_settings", "lab_extensions")

_linted: Final[weakref.WeakKeyDictionary[Backend, list[tuple[Path, Finding]]]] = weakref.WeakKeyDictionary()


def _data(backend: Backend) -> Mapping[Any, Any]:
    data = backend.sources["generated"].data
    return data if isinstance(data, dict) else {}


def _names(backend: Backend) -> list[str]:
    data = _data(backend)
    listed, router = data.get("model_list"), data.get("router_settings")
    entries = [each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)]
    aliases = router.get("model_group_alias") if isinstance(router, dict) else None
    names = [*(each.get("model_name") for each in entries), *(aliases if isinstance(aliases, dict) else ())]
    return [*dict.fromkeys(map(str, names))]


def _sections(backend: Backend) -> list[str]:
    return [str(section) for section in _data(backend) if section != "model_list"]


def _found(backend: Backend, *, of_models: bool) -> list[Finding]:
    """Return what the linter says of the model groups, or of all else."""
    if backend not in _linted:
        _linted[backend] = _lint(backend)
    return [finding for path, finding in _linted[backend] if _is_of_models(path) == of_models]


def _lint(backend: Backend) -> list[tuple[Path, Finding]]:
    source = backend.sources["generated"]
    if source.document is None:
        return []
    result = lint(
        LintDocument.of(source.document, source.display), load_schema(), ignore=_told_elsewhere(backend)
    )
    return [
        (path, finding)
        for finding in result.findings
        if (path := result.paths[finding])[:2] != _DROPPED  # router-setting-dropped
    ]


def _told_elsewhere(backend: Backend) -> frozenset[str]:
    told = set(_ELSEWHERE)
    if any(True for _ in literal_secrets(backend)):
        told |= {"literal-secret", "master-key-literal", "master-key-weak"}
    if urls_with_credentials(backend):
        told |= {"credentials-in-url"}
    return frozenset(told)


def _is_of_models(path: Path) -> bool:
    in_list = path[:1] == ("model_list",) and len(path) > 1
    return in_list or path[:2] == ("router_settings", "model_group_alias")


MODEL_GROUPS = declare_group(
    Group(
        id="model-group",
        check=5,
        noun="model group",
        needs=("generated",),
        subjects=_names,
        built_in=lambda backend: _found(backend, of_models=True),
    )
)
SETTINGS = declare_group(
    Group(
        id="gateway-settings",
        check=5,
        noun="section",
        needs=("gateway", "generated"),
        subjects=_sections,
        built_in=lambda backend: _found(backend, of_models=False),
    )
)
GATEWAY_SCHEMA = declare_group(
    Group(
        id="gateway-schema",
        check=5,
        noun="file",
        needs=("gateway",),
        subjects=lambda backend: ["gateway.yaml"] if backend.sources["gateway"].exists else [],
        built_in=lambda backend: backend.schema_findings("gateway"),
    )
)

for _group, _ids in ((MODEL_GROUPS, _OF_MODELS), (SETTINGS, _OF_SETTINGS)):
    for _id in _ids:
        _known = lint_rules()[_id]
        declare_rule(_id, _known.documentation, group=_group.id, severity=_known.severity)


@rule("router-setting-dropped", group=SETTINGS.id, severity=Severity.WARNING)
def router_setting_dropped(backend: Backend) -> Iterator[Problem]:
    """`lab_extensions` stands under router_settings, where LiteLLM drops what its router does not know.

    Routing rules kept there route nothing: describe them in the sources and generate the file.
    LiteLLM 1.106.2, proxy/proxy_server.py, load_config.
    """
    router = _data(backend).get("router_settings")
    if isinstance(router, dict) and "lab_extensions" in router:
        yield Problem(
            source="generated",
            path=_DROPPED,
            message="router_settings.lab_extensions is dropped by LiteLLM: nothing in it routes anything",
            hint="keep it out of the gateway's file; `aibackend generate` translates the sources",
            subject="router_settings",
        )


@rule("literal-secret", group=GATEWAY_SCHEMA.id)
def literal_secret(backend: Backend) -> Iterator[Problem]:
    """A key or password stands in gateway.yaml itself, or in what another source passes through.

    Everybody who reads the file or its history has it, and it would be copied into the gateway's file and
    into backups; `aibackend generate` refuses that. Write `os.environ/NAME` and keep the secret in the
    environment.
    """
    yield from literal_secrets(backend)

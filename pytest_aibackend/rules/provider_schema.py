"""Check 2: every provider is written as a provider is; and what the schema rules of all files mean."""

from __future__ import annotations

from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.rules import mappings_schema, ports_schema
from pytest_aibackend.rules.registry import Group, declare_group, declare_rule
from pytest_aibackend.sources.backend import Backend

__all__ = ["PROVIDER_SCHEMA"]


def _names(backend: Backend) -> tuple[str, ...]:
    return backend.provider_names


PROVIDER_SCHEMA = declare_group(
    Group(
        id="provider-schema",
        check=2,
        noun="provider",
        needs=("providers",),
        subjects=_names,
        built_in=lambda b: b.schema_findings("providers"),
    )
)

_GATEWAY: Final = "gateway-schema"  # gateway.yaml is matched against its model there
_SCHEMA_GROUPS: Final = (
    PROVIDER_SCHEMA.id,
    *mappings_schema.GROUP_IDS,
    ports_schema.PORT_SCHEMA.id,
    _GATEWAY,
)
_DOCUMENTED: Final = {
    "missing-key": """
        A key that must be there is missing.

        Without it nobody knows what the entry means, and it is left out. Add the key.
    """,
    "wrong-type": """
        A value is of another kind than its key needs, such as text where a number is meant.

        LiteLLM takes much of this without a word and fails at the first request. Write the kind of
        value that the hint names; numbers and true or false stand without quotes.
    """,
    "unknown-key": """
        A key that nothing reads.

        Close to a known one it is a typo, and the setting that was meant has no effect: an error.
        Otherwise it is a warning. Notes have their place under `metadata`, `notes` or a key that begins
        with `x-`.
    """,
    "unknown-value": """
        A value is not one of those that its key can have.

        Use one of the values that the hint lists.
    """,
    "port-out-of-range": """
        A port is not a number from 1 to 65535.

        No server can listen there. Write the port that the service has.
    """,
    "value-out-of-range": """
        A number is too small, too large or no finite number.

        Write a number in the range that the message names.
    """,
    "wrong-format": """
        A text has not the form that its key needs.

        A health endpoint begins with `/`, an `env_var` is the name of a variable and not its value, a
        name is not empty.
    """,
    "wrong-key-type": """
        YAML reads a key as a number, a date or true or false where a name is meant.

        `4.6:` is a number and `off:` is false. LiteLLM refuses to start with such a model name. Put the
        key in quotes.
    """,
}
for _rule, _text in _DOCUMENTED.items():
    declare_rule(_rule, _text, group=_SCHEMA_GROUPS, severity=Severity.ERROR)

"""What text may stand where LiteLLM wants a number or a boolean."""

from __future__ import annotations

from typing import Final

__all__ = ["LAX", "REFERENCE", "STAND_INS"]

REFERENCE: Final = "^os\\.environ/.+"
# pydantic converts these; the reference is resolved before.
LAX: Final = {
    "boolean": "^(os\\.environ/.+|[Tt]rue|[Ff]alse|TRUE|FALSE|yes|no|on|off|[01tfyn])$",
    "integer": "^(os\\.environ/.+|[+-]?[0-9]+(\\.0*)?)$",
    "number": "^(os\\.environ/.+|[+-]?[0-9.]+([eE][+-]?[0-9]+)?)$",
}
# A string with one of these patterns stands for another type.
STAND_INS: Final = frozenset({REFERENCE, *LAX.values()})

"""One thing that is wrong in a config that is right: the faults by name, and configs that have one."""

from __future__ import annotations

from tests.generated.faults import agreement, keys, names, servers, values, variables
from tests.generated.faults.hand import FAULTS, Broken, broken

__all__ = ["FAULTS", "Broken", "agreement", "broken", "keys", "names", "servers", "values", "variables"]

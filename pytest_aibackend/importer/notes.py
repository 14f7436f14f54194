"""What an import has to tell: what was carried through in LiteLLM's own words, and what else is different."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Carried", "Notes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """One thing that the sources have no word for."""

    file: str
    where: str  # in that file
    what: str  # keys or names, never values
    why: str


@dataclass(frozen=True, slots=True)
class Notes:
    """Fills while a configuration is translated."""

    carried: list[Carried] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def carry(self, file: str, where: str, what: str, why: str) -> None:
        """Note that something was carried through."""
        self.carried.append(Carried(file=file, where=where, what=what, why=why))

    def say(self, remark: str) -> None:
        """Note something else, once."""
        if remark not in self.remarks:
            self.remarks.append(remark)

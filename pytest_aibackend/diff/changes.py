"""What a comparison has to say: changes, each with its kind and its classes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

__all__ = ["CLASS_ORDER", "Change", "ChangeClass", "ChangeKind", "Said", "in_class_order"]


class ChangeKind(StrEnum):
    """What happened to the thing that a change is about."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class ChangeClass(StrEnum):
    """Why somebody should look at a change; one change may be of several classes."""

    BREAKING = "breaking"  # a request that was answered may fail, or may be answered by what nobody agreed to
    SECURITY = "security"  # who can ask, who can read along, where requests and keys go
    PERFORMANCE = "performance"  # how fast, how often, how much
    INFO = "info"  # anything else


CLASS_ORDER: Final = tuple(ChangeClass)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a rule yields: one change of the rule's kind."""

    subject: str  # the name, provider, port or setting that changed
    message: str  # the fact, with the values; never a secret
    notice: str  # what a client would notice, as a sentence
    clients: tuple[str, ...] = ()  # the names that clients ask for and that this concerns; () is all or none
    classes: tuple[ChangeClass, ...] | None = None  # None: those of the rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of meaning."""

    rule: str
    kind: ChangeKind
    classes: tuple[ChangeClass, ...]  # the gravest first
    area: str  # the heading of the rule's module: "Names", "Fallbacks"
    subject: str
    message: str
    notice: str
    clients: tuple[str, ...]

    @property
    def gravest(self) -> ChangeClass:
        """Return the class under which the change is shown."""
        return self.classes[0]

    def as_dict(self) -> dict[str, Any]:
        """Return the change in the shape of the JSON document."""
        return {
            "rule": self.rule,
            "kind": str(self.kind),
            "classes": [str(one) for one in self.classes],
            "area": self.area,
            "subject": self.subject,
            "message": self.message,
            "notice": self.notice,
            "clients": list(self.clients),
        }


def in_class_order(classes: tuple[ChangeClass, ...]) -> tuple[ChangeClass, ...]:
    """Return classes in the order in which they are shown, the gravest first."""
    return tuple(one for one in CLASS_ORDER if one in classes)

"""Two configurations in, changes out."""

from __future__ import annotations

from pytest_aibackend.diff.catalogue import area_of, change_rules
from pytest_aibackend.diff.changes import CLASS_ORDER, Change, in_class_order
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.renaming import aligned
from pytest_aibackend.diff.wording import printable

__all__ = ["compare"]


def compare(old: Meaning, new: Meaning) -> list[Change]:
    """Return what changed in meaning, the gravest first; nothing where both mean the same."""
    sides = aligned(old, new)
    found = {
        Change(
            rule=rule.id,
            kind=rule.kind,
            classes=in_class_order(said.classes or rule.classes),
            area=area_of(rule.module),
            subject=said.subject,
            message=printable(said.message),
            notice=printable(said.notice),
            clients=said.clients,
        ): place
        for place, rule in enumerate(change_rules().values())
        for said in rule.find(*sides)
    }
    return sorted(
        found,
        key=lambda change: (
            CLASS_ORDER.index(change.gravest),
            found[change],
            change.subject,
            change.message,
        ),
    )

"""The rule catalogue, docs/checks.md: generated from the checks, the groups and the rules themselves."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

from pytest_aibackend.checklist import CHECKS, Check

__all__ = ["render"]

_INTRODUCTION: Final = """\
<!-- Generated from the rules: `aibackend docs checks > docs/checks.md`. Do not edit. -->

# Checks and rules

Eleven checks, each a pytest module in `checks/`; each rule has an id, under which its findings are shown.
An error fails its check, a warning is recorded and shown, and fails with `--aibackend-strict`. A live rule
asks running services and needs `--live`. `# aibackend: ignore[rule-id] reason` on a finding's line, or
alone on the line above it, silences the finding, which is then counted in the summary.
"""


def render() -> str:
    """Return the catalogue as Markdown, the same text for the same rules."""
    import_module("pytest_aibackend.rules")  # registers them all; by name, for reports know no rules
    registry: Any = import_module("pytest_aibackend.rules.registry")
    groups, rules = registry.GROUPS, registry.RULES
    by_check: dict[int, list[Any]] = {number: [] for number in CHECKS}
    for rule in sorted(rules.values(), key=lambda each: each.id):
        for number in sorted({groups[group].check for group in rule.groups}):
            by_check[number].append(rule)
    lines = [_INTRODUCTION, "| # | check | critical | needs | rules |", "|---|---|---|---|---|"]
    lines += [
        f"| {check.number} | [{check.slug}](#{_anchor(check)}) | {'yes' if check.critical else 'no'}"
        f" | {_needs(check, groups)} | {len(by_check[check.number])} |"
        for check in CHECKS.values()
    ]
    written: set[str] = set()
    for check in CHECKS.values():
        lines += ["", f"## Check {check.number}: {check.slug}"]
        if not by_check[check.number]:
            lines += ["", "No rules yet."]
        for rule in by_check[check.number]:
            if rule.id in written:
                lines += ["", f"Also here: [{rule.id}](#{rule.id})."]
                continue
            written.add(rule.id)
            lines += ["", *_section(rule, groups)]
    return "\n".join(lines) + "\n"


def _anchor(check: Check) -> str:
    return f"check-{check.number}-{check.slug}"


def _needs(check: Check, groups: Any) -> str:
    if check.live:
        return "`--live`"
    some_live = any(group.live for group in groups.values() if group.check == check.number)
    return "`--live` for a part" if some_live else "nothing"


def _section(rule: Any, groups: Any) -> Iterator[str]:
    yield f"### {rule.id}"
    yield ""
    live = ", live" if any(groups[group].live for group in rule.groups) else ""
    tests = ", ".join(f"`{_test(groups[group])}`" for group in rule.groups)
    yield f"*{str(rule.severity).capitalize()}{live}; reported by {tests}.*"
    yield ""
    yield rule.documentation.strip() or "Not documented."


def _test(group: Any) -> str:
    module = f"test_{group.check:02}_{CHECKS[group.check].slug.replace('-', '_')}.py"
    return f"{module}::test_{group.id.replace('-', '_')}"

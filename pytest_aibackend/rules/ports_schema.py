"""Check 4: the port registry is of its shape, and its ranges and dependencies make sense."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.cycles import find_cycles, shown_cycle
from pytest_aibackend.sources.wording import Suggester, listed

__all__ = ["PORT_SCHEMA"]

_RANGES: Final = "ranges"
_RANGE: Final = re.compile(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", re.ASCII)


def _subjects(backend: Backend) -> list[str]:
    extra = [_RANGES] if backend.ports_file.ranges else []
    return list(dict.fromkeys([*backend.ports, *backend.reserved, *extra]))


PORT_SCHEMA = declare_group(
    Group(
        id="port-schema",
        check=4,
        noun="service",
        needs=("ports",),
        subjects=_subjects,
        built_in=lambda b: b.schema_findings("ports"),
    )
)


def _range_trouble(text: str) -> tuple[str, str] | None:
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return (
                f"{text!r} is not of the form 8000-8999",
                "write it as 8000-8999, or as 3000-3999,9000-9999",
            )
        low, high = int(match[1]), int(match[2])
        if low > high:
            return f"{part.strip()} ends before it begins", f"write {high}-{low}"
        if not (low >= 1 and high <= 65535):
            return f"{part.strip()} leaves the ports, which are from 1 to 65535", "give ports in that range"
    return None


def _bounds(text: str) -> list[tuple[int, int]]:
    """Return the parts of a range, none of a malformed one."""
    if _range_trouble(text) is not None:
        return []
    return [(int(low), int(high)) for low, high in (part.split("-") for part in text.split(","))]


def _problem(name: str, key: str, message: str, hint: str) -> Problem:
    return Problem(
        source="ports",
        path=(name, key),
        message=message,
        hint=hint,
        subject=_RANGES if name == _RANGES else name,
    )


@rule("malformed-range", group=PORT_SCHEMA.id)
def find_malformed_ranges(backend: Backend) -> Iterator[Problem]:
    """A range of ports cannot be read, or ends before it begins.

    No service can be checked against it. Write it as `8000-8999`, several with commas.
    """
    for name, text in backend.ports_file.ranges.items():
        trouble = _range_trouble(text)
        if trouble is not None:
            yield _problem(_RANGES, name, f"range {name!r}: {trouble[0]}", trouble[1])


@rule("overlapping-ranges", group=PORT_SCHEMA.id, severity=Severity.WARNING)
def find_overlapping_ranges(backend: Backend) -> Iterator[Problem]:
    """Two ranges of ports have ports in common.

    Who looks for a free port in one may take what the other is for. Move the bounds apart.
    """
    parts = sorted(
        (low, high, name) for name, text in backend.ports_file.ranges.items() for low, high in _bounds(text)
    )
    reach, holder = 0, ""
    for low, high, name in parts:
        if low <= reach:
            common = f"{low}-{min(reach, high)}"
            whose = "itself" if holder == name else repr(holder)
            yield _problem(
                _RANGES, name, f"range {name!r} overlaps with {whose} in {common}", "move the bounds apart"
            )
        if high > reach:
            reach, holder = high, name


@rule("unknown-range", group=PORT_SCHEMA.id)
def find_unknown_ranges(backend: Backend) -> Iterator[Problem]:
    """A service names a range that is not defined.

    Its port is checked against nothing. Mend the name, or define the range under `ranges`.
    """
    ranges = backend.ports_file.ranges
    suggester = Suggester()
    for name, entry in backend.ports.items():
        written = backend.sources["ports"].data.get(_RANGES)
        if entry.range is not None and not (isinstance(written, dict) and entry.range in written):
            otherwise = f"ranges are {listed(ranges)}" if ranges else "define it under ranges"
            yield _problem(
                name,
                "range",
                f"service {name!r} names range {entry.range!r}, which is not defined",
                suggester.hint(entry.range, ranges.keys(), otherwise=otherwise),
            )


@rule("port-outside-range", group=PORT_SCHEMA.id)
def find_ports_outside_range(backend: Backend) -> Iterator[Problem]:
    """A service's port is not in the range that the service names.

    The port or the range is wrong; a port outside its range may be given to something else. Mend one.
    """
    for name, entry in backend.ports.items():
        text = backend.ports_file.ranges.get(entry.range or "")
        bounds = _bounds(text) if text is not None else []
        if bounds and not any(low <= entry.port <= high for low, high in bounds):
            yield _problem(
                name,
                "port",
                f"port {entry.port} of service {name!r} is outside its range {entry.range!r} ({text})",
                "choose a port in the range, or name another range",
            )


@rule("unknown-dependency", group=PORT_SCHEMA.id)
def find_unknown_dependencies(backend: Backend) -> Iterator[Problem]:
    """A service depends on one that the registry does not have.

    Nobody can see to it that it is there. Mend the name, or register the service.
    """
    known = [str(name) for name in backend.sources["ports"].data]
    suggester = Suggester()
    names = frozenset(known)
    for name, entry in backend.ports.items():
        for index, other in enumerate(entry.depends_on):
            if other not in names:
                yield Problem(
                    source="ports",
                    path=(name, "depends_on", index),
                    subject=name,
                    message=f"service {name!r} depends on {other!r}, which is not registered",
                    hint=suggester.hint(
                        other, backend.ports.keys(), otherwise=f"services are {listed(backend.ports)}"
                    ),
                )


@rule("dependency-cycle", group=PORT_SCHEMA.id)
def find_dependency_cycles(backend: Backend) -> Iterator[Problem]:
    """Services depend on each other in a circle, or one depends on itself.

    None of them can be started first. Take one dependency out.
    """
    depends = {name: entry.depends_on for name, entry in backend.ports.items()}
    selves = [(name,) for name, others in depends.items() if name in others]
    for cycle in [*selves, *find_cycles(depends)]:
        last, first = cycle[-1], cycle[0]
        yield Problem(
            source="ports",
            path=(last, "depends_on", depends[last].index(first)),
            subject=last,
            message=f"services depend on each other in a circle: {shown_cycle(cycle)}"
            if len(cycle) > 1
            else f"service {last!r} depends on itself",
            hint="take one of these dependencies out",
        )


@rule("optional-dependency", group=PORT_SCHEMA.id, severity=Severity.WARNING)
def find_optional_dependencies(backend: Backend) -> Iterator[Problem]:
    """A required service depends on one that is optional.

    When the optional one is down nothing fails, although the required one cannot work. Make both
    required, or drop the dependency.
    """
    for name, entry in backend.ports.items():
        for index, other in enumerate(entry.depends_on if entry.required else ()):
            if other != name and other in backend.ports and not backend.ports[other].required:
                yield Problem(
                    source="ports",
                    path=(name, "depends_on", index),
                    subject=name,
                    message=f"service {name!r} is required and depends on {other!r}, which is optional",
                    hint=f"set required: true for {other!r}, or drop the dependency",
                )

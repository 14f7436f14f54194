"""The corpus: configs on disk, each with a header that says what it is, and the verdicts of the gateway.

A config lies in `corpus/<class>/<name>.yaml`. It begins with a sentence about it, then perhaps directives:

    # env: NAME=value        the gateway has this variable, beside LITELLM_MASTER_KEY
    # unset: NAME            and not this one
    # cloud: HOST            a request that leaves for this host counts as answered
    # say: WORDS             what is said to the models that chat
    # rule: ID, ID           the lint rules that speak of the fault: one of them must, and no other may

In it a line that ends in `# <- no effect` is pointed at, with the lines below it that are indented deeper:
without them the gateway has the same settings and does the same. `# <- effect` says that it has one, and asks
the gateway. `# <- overruled` points at what is kept as a setting and changes nothing that others see,
`# <- secret` at a credential that works. What `include:` names, and modules, are in `included/`.

`@OPENAI@`, `@ANTHROPIC@`, `@OLLAMA@`, `@VLLM@`, `@LLAMACPP@` and `@REDIS@` stand for ports on 127.0.0.1. How
the upstream model is called decides how it answers, see `standins`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

__all__ = [
    "BASE_ENVIRONMENT",
    "CORPUS",
    "VERDICTS",
    "Case",
    "fill_in",
    "load_cases",
    "load_verdicts",
    "save_verdicts",
]

CORPUS: Final = Path(__file__).parent / "corpus"
VERDICTS: Final = CORPUS.parent / "verdicts.json"
MASTER_KEY: Final = "sk-oracle-7b1f90c2d4e85a36"
BASE_ENVIRONMENT: Final[Mapping[str, str]] = {"LITELLM_MASTER_KEY": MASTER_KEY}
_DIRECTIVE: Final = re.compile(r"^# (env|unset|cloud|say|rule): *(.+?)\s*$")
_PORT: Final = re.compile(r"@([A-Z]+)@")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One config of the corpus."""

    name: str  # <class>/<name>
    text: str  # with placeholders
    directives: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """Return its class: the folder."""
        return self.name.partition("/")[0]

    def told(self, directive: str) -> list[str]:
        """Return what the header says under this name."""
        return [value for name, value in self.directives if name == directive]

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that its gateway has."""
        given = dict(BASE_ENVIRONMENT)
        for name in self.told("unset"):
            given.pop(name, None)
        for assignment in self.told("env"):
            name, _, value = assignment.partition("=")
            given[name] = value
        return given

    @property
    def rules(self) -> frozenset[str]:
        """Return the lint rules that speak of its fault."""
        return frozenset(rule.strip() for told in self.told("rule") for rule in told.split(","))

    def at(self, ports: Mapping[str, int]) -> Case:
        """Return it with the stand-ins' ports in the places of the placeholders."""
        return replace(
            self,
            text=fill_in(self.text, ports),
            directives=tuple((name, fill_in(value, ports)) for name, value in self.directives),
        )


def fill_in(text: str, ports: Mapping[str, int]) -> str:
    """Return a text with ports in the places of the placeholders."""
    return _PORT.sub(lambda found: str(ports[found[1]]), text)


def load_cases() -> list[Case]:
    """Return the corpus, sorted by name."""
    return [_load(path) for path in sorted(CORPUS.glob("*/*.yaml"))]


def _load(path: Path) -> Case:
    text = path.read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if match := _DIRECTIVE.match(line):
            found.append((match[1], match[2]))
    return Case(name=f"{path.parent.name}/{path.stem}", text=text, directives=tuple(found))


def load_verdicts() -> dict[str, dict[str, Any]]:
    """Return what the gateway said of each case, by name."""
    if not VERDICTS.exists():
        return {}
    verdicts: dict[str, dict[str, Any]] = json.loads(VERDICTS.read_text(encoding="utf-8"))
    return verdicts


def save_verdicts(verdicts: Mapping[str, Mapping[str, Any]]) -> None:
    """Write them, sorted, one line a case."""
    lines = [f"  {json.dumps(name)}: {json.dumps(verdicts[name])}" for name in sorted(verdicts)]
    VERDICTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")

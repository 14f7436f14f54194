"""Sources as a graph meets them: many model groups, every concept, names of every length and kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.translation import write_sources

__all__ = ["HOSTILE", "write_fleet", "write_hostile"]

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<!-- -->",
    "]]>",
    "\\",
    '\\"',
    'a"]\n  click g1 href "javascript:alert(1)"',
    "%%{init: {}}%%",
    "```",
    "&lt;&amp;#35;",
    "\u202eevil",
    "\x07bell",
]

_TYPES = ("ollama", "llama_cpp", "vllm", "openai_compatible")
_FAMILIES = ("llama3.1", "qwen2.5-coder", "mistral-small", "deepseek-r1-distill", "gemma3", "phi4", "granite")


def write_fleet(folder: Path, groups: int, *, broken: bool = True) -> Path:
    """Write sources with so many model groups; of those that are broken, every part is of a known kind."""
    servers = max(4, groups // 12)
    providers: dict[str, Any] = {}
    ports: dict[str, Any] = {"litellm_gateway": {"port": 4000, "required": True}}
    routes: dict[str, Any] = {}
    for number in range(servers):
        name = f"{_TYPES[number % 4]}_{number}"
        providers[name] = {
            "type": _TYPES[number % 4],
            "base_url": f"http://127.0.0.1:{20000 + number}",
            "models": [],
        }
        ports[name] = {"port": 20000 + number, "description": name}
    names = []
    for number in range(groups * 7 // 10):
        provider = f"{_TYPES[number % servers % 4]}_{number % servers}"
        model = f"{_FAMILIES[number % 7]}-{number}:{8 << number % 4}b" + "-instruct-q4_k_m" * (
            number % 5 == 0
        )
        providers[provider]["models"].append(
            {"name": model, "mode": "embedding"} if number % 9 == 8 else model
        )
        routes[f"{_FAMILIES[number % 7]}/{number}"] = {"provider": provider, "backend_model": model}
        names.append((f"{_FAMILIES[number % 7]}/{number}", provider, model))
    balanced = {
        f"balanced-{number}": {
            "providers": [
                {"provider": names[place][1], "model": names[place][2], "weight": weight}
                for place, weight in ((number * 3, 0.7), (number * 3 + 1, 0.3))
            ]
        }
        for number in range(groups // 10)
    }
    capabilities = {
        f"capability-{number}": {"preferred_models": [names[number * 2][0], names[number * 2 + 5][0]]}
        for number in range(groups // 10)
    }
    capabilities |= {
        f"alias-{number}": {"preferred_models": [names[number * 5][0]]} for number in range(groups // 10)
    }
    chains: dict[str, Any] = {
        name: [names[(place + 1) % 10][0], names[(place * 7 + 3) % len(names)][0]]
        for place, (name, _, _) in enumerate(names)
        if place % 2 == 0
    }
    chains = {name: [each for each in dict.fromkeys(chain) if each != name] for name, chain in chains.items()}
    chains["default"] = [names[0][0]]
    patterns = [
        {"pattern": f"^vendor{number}/.*", "provider": f"vllm_{2 + 4 * (number % (servers // 4))}"}
        for number in range(groups // 10)
    ]
    if broken:
        routes["lost/route"] = {"provider": "olama_0"}
        chains[names[1][0]] = ["nobody-serves-this", names[2][0]]
        balanced["balanced-0"]["providers"].append({"provider": "gone", "model": "m", "weight": 0.1})
        providers["pasture"] = {"type": "ollama", "base_url": "http://127.0.0.1:1", "status": "disabled"}
        providers["typo"] = {"type": "olama", "base_url": "http://127.0.0.1:2"}
        patterns.append({"pattern": "^(a|b)[0-9]+$", "provider": "ollama_0"})
    return write_sources(
        folder,
        providers={"providers": providers},
        model_mappings={
            "exact_matches": routes,
            "patterns": patterns,
            "capabilities": capabilities,
            "load_balancing": balanced,
            "fallback_chains": chains,
        },
        ports=ports,
    )


def write_hostile(folder: Path) -> Path:
    """Write sources whose names mean something in one of the formats, each in every place of a name."""
    return write_sources(
        folder,
        providers={
            "providers": {
                f"p {name}": {
                    "type": "ollama",
                    "base_url": f"http://127.0.0.1:{100 + place}",
                    "models": [name],
                }
                for place, name in enumerate(HOSTILE)
            }
        },
        model_mappings={
            "exact_matches": {f"route {name}": {"provider": name} for name in HOSTILE},
            "capabilities": {f"alias {name}": {"preferred_models": [name]} for name in HOSTILE},
            "fallback_chains": {name: [HOSTILE[place - 1]] for place, name in enumerate(HOSTILE)},
        },
    )

"""LiteLLM configs of any size, as somebody would write them by hand."""

from __future__ import annotations

from pathlib import Path

PROVIDERS = (
    ("openai", "http://10.0.{}.{}:8000/v1", "os.environ/LAB_KEY"),
    ("hosted_vllm", "http://10.1.{}.{}:8001/v1", None),
    ("ollama_chat", "http://10.2.{}.{}:11434", None),
)


def write_config(path: Path, models: int) -> Path:
    """Write a config with so many deployments: two to a model group, each with an alias and fallbacks."""
    groups = models // 2
    lines = ["model_list:", *(line for number in range(models) for line in _deployment(number))]
    lines += ["router_settings:", "  routing_strategy: simple-shuffle", "  model_group_alias:"]
    lines += [f"    alias-{number}: group-{number}" for number in range(groups)]
    lines += ["  fallbacks:"]
    for number in range(groups - 1):
        lines += [
            f"    - group-{number}: [group-{number + 1}]",
            f"    - alias-{number}: [group-{number + 1}]",
        ]
    lines += ["general_settings:", "  master_key: os.environ/LITELLM_MASTER_KEY"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _deployment(number: int) -> list[str]:
    provider, address, key = PROVIDERS[number % len(PROVIDERS)]
    lines = [
        f"  - model_name: group-{number // 2}",
        "    litellm_params:",
        f"      model: {provider}/model-{number}",
        f"      api_base: {address.format(number // 250 % 250, number % 250)}",
        "      rpm: 100",
        "      timeout: 60",
    ]
    return [*lines, f"      api_key: {key}"] if key else lines

"""Places in a configuration where a secret can stand by mistake, none of which may be shown."""

from __future__ import annotations

from pathlib import Path

SECRET = "Tr0ub4dor3xyzzy"
LEAKS = {
    "unknown-key": ("providers.yaml", "    required: true\n", f"    api_key: {SECRET}\n"),
    "unknown-nested": ("providers.yaml", "    required: true\n", f"    auth: {{password: {SECRET}}}\n"),
    "key-of-wrong-type": (
        "gateway.yaml",
        "    type: redis\n",
        f"    type: redis\n    password: [{SECRET}]\n",
    ),
    "userinfo": ("providers.yaml", "http://127.0.0.1:11434", f"http://me:{SECRET}@127.0.0.1:11434"),
    "userinfo-and-bad-port": ("providers.yaml", "http://127.0.0.1:11434", f"http://me:{SECRET}@host:99999"),
    "userinfo-without-scheme": ("providers.yaml", "http://127.0.0.1:11434", f"me:{SECRET}@127.0.0.1:11434"),
    "query": ("providers.yaml", "http://127.0.0.1:11434", f"http://127.0.0.1:11434/?api_key={SECRET}"),
    "gateway-url": ("gateway.yaml", "url: http://127", f"url: http://me:{SECRET}@127"),
    "master-key": ("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", SECRET),
    "redis-url": ("gateway.yaml", "    host: 127.0.0.1\n", f"    url: redis://:{SECRET}@127.0.0.1\n"),
    "redis-password": ("gateway.yaml", "    host: 127.0.0.1\n", f"    host: h\n    password: {SECRET}\n"),
    "env-var-bad": (
        "providers.yaml",
        "    base_url: http://127.0.0.1:8001\n",
        f"    base_url: http://127.0.0.1:8001\n    env_var: {SECRET}-\n",
    ),
    "health-check": (
        "ports.yaml",
        "curl -f http://127.0.0.1:11434",
        f"curl -f http://a:{SECRET}@127.0.0.1:1",
    ),
    "unclosed-quote": ("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", f'"{SECRET}'),
    "unclosed-bracket": ("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", f"[{SECRET}"),
    "reserved-indicator": ("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", f"@{SECRET}"),
    "alias": ("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", f"*{SECRET}"),
    "tag": ("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", f"!{SECRET} x"),
    "colon": ("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", f"a: {SECRET}: b"),
    "secret-model": ("providers.yaml", "      - name: llama3.1:8b\n", f"      - token: {SECRET}\n"),
    "options": ("providers.yaml", "        size: 8B\n", f"        options: {{api_key: {SECRET}}}\n"),
    "environment": ("gateway.yaml", "deploy:\n", f"environment_variables: {{KEY: {SECRET}}}\ndeploy:\n"),
}
# Those with which the file is no YAML any more, and of the others a set that can stand together.
BROKEN = ["unclosed-quote"]
SOUND = ["unknown-nested", "userinfo", "gateway-url", "master-key", "redis-url", "env-var-bad", "options"]


def plant(config: Path, leak: str) -> None:
    """Put the secret into a copy of the shipped configuration."""
    name, old, new = LEAKS[leak]
    path = config / name
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{name} has no {old!r} any more"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

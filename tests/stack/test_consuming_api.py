"""docs/consuming-api.md: its examples are run against the embedded stack, as a reader would run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.stack.embedded import EmbeddedStack
from tests.walkthrough import ROOT, Block, blocks_of

PAGE = ROOT / "docs" / "consuming-api.md"
EXAMPLES = [block for block in blocks_of(PAGE) if block.argument == "stack"]
MODEL = "tiny-native"
INTERPRETERS = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "--eval"],
}


def run(block: Block, stack: EmbeddedStack, cwd: Path) -> str:
    """Run an example; return what it prints."""
    command = INTERPRETERS[block.language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    done = subprocess.run(
        [*command, block.text],
        cwd=cwd,
        env={**os.environ, "GATEWAY": stack.gateway_url, "GATEWAY_KEY": stack.key, "MODEL": MODEL},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"line {block.line}:\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_language_has_examples() -> None:
    assert {block.language for block in EXAMPLES} == set(INTERPRETERS)


@pytest.mark.parametrize("block", EXAMPLES, ids=[f"{block.language}-{block.line}" for block in EXAMPLES])
def test_example_answers(block: Block, embedded_stack: EmbeddedStack, tmp_path: Path) -> None:
    said = run(block, embedded_stack, tmp_path)
    if block.language != "sh":
        assert said.strip()
        assert "stream=True" in block.text or said.startswith("assistant ")
    elif "/health/" in block.text:
        assert "alive" in said
    elif "/v1/models" in block.text:
        assert MODEL in {each["id"] for each in json.loads(said)["data"]}
    elif '"stream": true' in block.text:
        pieces = [line for line in said.splitlines() if line]
        assert pieces[-1] == "data: [DONE]"
        assert all(line.startswith("data: ") for line in pieces)
    else:
        assert json.loads(said)["choices"][0]["message"]["role"] == "assistant"


@pytest.mark.parametrize(
    ("model", "key"), [("no-such-model", None), (MODEL, "sk-wrong")], ids=["name", "key"]
)
def test_refusals_are_those_of_the_table(model: str, key: str | None, embedded_stack: EmbeddedStack) -> None:
    answer = httpx.post(
        f"{embedded_stack.gateway_url}/v1/chat/completions",
        headers={"Authorization": f"Bearer {key or embedded_stack.key}"},
        json={"model": model, "messages": [{"role": "user", "content": "x"}]},
        timeout=60,
    )
    assert answer.status_code in ({400} if key is None else {400, 401, 500}), answer.text
    assert ("Invalid model name" if key is None else "No connected db.") in answer.text


def test_answers_come_from_the_cache_unless_asked_anew(embedded_stack: EmbeddedStack) -> None:
    def ask(**more: object) -> httpx.Response:
        answer = httpx.post(
            f"{embedded_stack.gateway_url}/v1/chat/completions",
            headers=embedded_stack.headers,
            json={"model": MODEL, "messages": [{"role": "user", "content": "cached?"}], **more},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return answer

    first, second = ask(), ask()
    assert "x-litellm-cache-key" in second.headers
    assert second.json()["id"] == first.json()["id"]
    assert ask(cache={"no-cache": True}).json()["id"] != first.json()["id"]

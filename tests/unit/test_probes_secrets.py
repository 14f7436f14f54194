"""No known secret ever comes out of a probe: not in its JSON, not in its repr, whatever the server says."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pytest_aibackend.probes import (
    GatewayTarget,
    ProbeTargets,
    ProviderTarget,
    RedisTarget,
    run_probes,
)
from pytest_aibackend.probes.redact import Redactor, clean_text, redact_url
from tests.fakes import hostile
from tests.fakes.real import valkey_server
from tests.fakes.server import FakeServer, Received, Reply, as_json

KEY = "sk-known-secret-key-1234"
PASSWORD = "p@ss/word known+zulu"
QUOTED = "p%40ss%2Fword%20known%2Bzulu"
SECRETS = (KEY, PASSWORD, QUOTED, base64.b64encode(PASSWORD.encode()).decode(), "zulu")


class Parrot(FakeServer):
    """Repeats whatever it was told, wherever it can: in models, versions, errors and redirects."""

    def reply(self, request: Received) -> Reply:
        told = f"{request.headers.get('authorization', '')} {request.headers.get('x-api-key', '')} {PASSWORD}"
        if request.path == "/api/version":
            return as_json({"version": told})
        if request.path == "/api/tags":
            return as_json({"models": [{"name": told, "model": told}]})
        if request.path.startswith("/v1/models"):
            return as_json({"object": "list", "data": [{"id": told}], "owned_by": told})
        if request.path == "/health/readiness":
            return as_json({"status": "healthy", "db": told, "litellm_version": told})
        if request.path == "/redirect/v1/models":
            return Reply(status=302, headers={"Location": f"/login?key={KEY}"})
        error = {"message": f"Incorrect API key provided: {told}", "type": "auth_error"}
        return as_json({"error": error}, 401)


def _all_texts(observations: Any) -> str:
    return json.dumps(observations.to_json(), ensure_ascii=False) + repr(observations)


def test_no_secret_in_any_observation() -> None:
    kinds = ("ollama", "llama_cpp", "vllm", "openai", "anthropic", "openai_compatible")
    with Parrot() as parrot, valkey_server(password=PASSWORD) as cache, hostile.closes_at_once() as rude:
        with_user = parrot.url.replace("//", f"//user:{QUOTED}@")
        providers = [
            ProviderTarget(name=f"{kind}-{number}", type=kind, base_url=url, api_key=key, models=("m",))
            for kind in kinds
            for number, (url, key) in enumerate(
                [
                    (parrot.url, KEY),
                    (with_user, None),
                    (with_user, KEY),
                    (f"{parrot.url}/redirect", KEY),
                    (f"{parrot.url}/other", KEY),
                    (rude.url, KEY),
                    (f"http://user:{PASSWORD}@host:1", None),
                    (f"http://user:{QUOTED}@127.0.0.1:9", None),
                    (f"//user:{PASSWORD}@host", KEY),
                    (parrot.url, KEY + "\nX-Injected: 1"),
                ]
            )
        ]
        gateways = [
            GatewayTarget(name=str(number), url=url, api_key=KEY, expected_groups=("g",), completions=True)
            for number, url in enumerate((parrot.url, with_user, f"{parrot.url}/other", "http://127.0.0.1:9"))
        ]
        caches = (
            RedisTarget(name="right", port=cache.port, password=PASSWORD, namespace="n"),
            RedisTarget(name="wrong", port=cache.port, password=KEY, namespace="n"),
            RedisTarget(name="down", port=9, password=PASSWORD),
        )
        targets = ProbeTargets(providers=tuple(providers), gateways=tuple(gateways), redis=caches)
        seen = run_probes(targets, timeout_s=4)
        asked = [each.headers for each in parrot.requests]
    texts = _all_texts(seen) + repr(targets.redis) + repr(targets.gateways)
    for secret in SECRETS:
        assert secret not in texts
    assert all(KEY not in repr(target) for target in providers)
    assert any(KEY in headers.get("authorization", "") for headers in asked)  # it was sent, though
    assert not any("x-injected" in headers for headers in asked)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:1/v1", "http://host:1/v1"),
        ("https://user:secret@host/v1?key=secret&b=2#secret", "https://***@host/v1?key=***&b=***"),
        ("http://user:se/cret@host/", "http://***@host/"),
        ("http://user:se#cret@host/", "http://***@host/"),
        ("http://host/@scope/name", "http://host/@scope/name"),
        ("http://[::1", "http://[::1"),
        ("http://u:secret@[::1", "http://***@[::1"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_the_forms_in_which_secrets_travel() -> None:
    redactor = Redactor([PASSWORD, None, "", "abc"])
    basic = base64.b64encode(PASSWORD.encode()).decode()
    assert redactor.text(f"a {PASSWORD} b {QUOTED} c {basic} abc").startswith("a *** b *** c ***")
    assert Redactor([None, ""]).is_empty
    assert redactor.plain({"name": PASSWORD, "detail": [PASSWORD], "n": 1}) == {
        "name": PASSWORD,
        "detail": ["***"],
        "n": 1,
    }


def test_what_a_server_says_cannot_move_the_cursor() -> None:
    assert clean_text("a\x1b[2Jb\r\n\tc\u202ed\x00") == "a [2Jb c d"
    assert len(clean_text("x" * 10_000)) == 400

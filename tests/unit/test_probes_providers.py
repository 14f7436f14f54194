"""Each type of provider, healthy and in every other state that has its own word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aibackend.probes import ProbeTargets, ProviderObservation, ProviderTarget, State, run_probes
from tests.fakes import hostile
from tests.fakes.ollama import OllamaServer
from tests.fakes.real import llama_server
from tests.fakes.server import FakeServer, Received, Reply, as_json
from tests.fakes.vllm import VllmServer

TIMEOUT_S = 3.0  # where somebody does not answer; a busy machine is not that


def probe(kind: str, url: str, *, timeout_s: float = 10.0, **more: object) -> ProviderObservation:
    target = ProviderTarget(name="p", type=kind, base_url=url, **more)  # type: ignore[arg-type]  # test sugar
    return run_probes(ProbeTargets(providers=(target,)), timeout_s=timeout_s).provider("p")


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    with llama_server(alias="tiny") as url:
        yield url


@pytest.fixture(scope="module")
def llama_with_key() -> Iterator[str]:
    with llama_server(alias="tiny", api_keys=["sk-llama-right"]) as url:
        yield url


def test_ollama_and_its_models() -> None:
    with OllamaServer(models=["llama3.1", "qwen:7b"]) as server:
        server.loaded.append("qwen:7b")
        wanted = ("llama3.1:latest", "qwen", "gpt-oss:120b-cloud", "mistral:cloud", "gone:1b")
        for url in (server.url, f"{server.url}/", f"{server.url}/v1", f"{server.url}/api"):
            seen = probe("ollama", url, models=wanted)
            assert seen.state is State.OK, seen
            assert seen.version == "0.12.6"
            assert seen.models == ("llama3.1:latest", "qwen:7b")
            assert seen.missing_models == ("qwen", "gone:1b")
            assert seen.unlisted_cloud_models == ("gpt-oss:120b-cloud", "mistral:cloud")
            assert seen.loaded_models == ("qwen:7b",)
        assert {each.method for each in server.requests} == {"GET"}


def test_ollama_without_models_is_healthy_and_lists_none() -> None:
    with OllamaServer(models=[]) as server:
        seen = probe("ollama", server.url, models=("a",))
        assert (seen.state, seen.models, seen.missing_models) == (State.OK, (), ("a",))


def test_ollama_that_hangs_after_its_front_page_is_a_timeout() -> None:
    class Hanging(OllamaServer):
        def is_work(self, request: Received) -> bool:
            return request.path == "/api/tags"

    with Hanging() as server:
        server.fail("hang")
        seen = probe("ollama", server.url, timeout_s=2.0)
        assert seen.state is State.TIMEOUT
        assert seen.detail == "no complete answer within 2 s to /api/tags, though /api/version answers"


def test_vllm_and_its_key() -> None:
    with VllmServer(models=["q"], api_key="sk-vllm-right") as server:
        for url in (server.url, f"{server.url}/v1", f"{server.url}/v1/"):
            seen = probe("vllm", url, api_key="sk-vllm-right", models=("q", "other"))
            assert (seen.state, seen.version, seen.missing_models) == (State.OK, "0.11.0", ("other",)), seen
        assert {each.path for each in server.requests} == {"/v1/models", "/version", "/health"}
        for key in (None, "sk-vllm-wrong"):
            assert probe("vllm", server.url, api_key=key).state is State.UNAUTHORISED


def test_vllm_with_a_dead_engine_is_down() -> None:
    with VllmServer() as server:
        server.engine_dead = True
        seen = probe("vllm", server.url)
        assert seen.state is State.DOWN
        assert seen.detail == "its /health says 503: the engine is dead, though /version answers (0.11.0)"
        assert seen.endpoint == "/health"


def test_real_llama_cpp(llama: str) -> None:
    for url in (llama, f"{llama}/v1"):
        seen = probe("llama_cpp", url, models=("tiny", "other"), health_endpoint="/v1/models")
        assert (seen.state, seen.models, seen.missing_models) == (State.OK, ("tiny",), ("other",)), seen
        assert (seen.health_endpoint_status, seen.health_endpoint_detail) == (200, None)


def test_real_llama_cpp_with_a_key(llama_with_key: str) -> None:
    assert probe("llama_cpp", llama_with_key, api_key="sk-llama-right").state is State.OK
    for key in (None, "sk-llama-wrong"):
        seen = probe("llama_cpp", llama_with_key, api_key=key)
        assert (seen.state, seen.status_code, seen.models) == (State.UNAUTHORISED, 401, None)


class LlamaCppPython(FakeServer):
    """llama-cpp-python: /v1/models only, owned by "me" (llama_cpp/server/app.py)."""

    def reply(self, request: Received) -> Reply:
        if request.path != "/v1/models":
            return as_json({"detail": "Not Found"}, 404)
        card = {"id": "default", "object": "model", "owned_by": "me", "permissions": []}
        return as_json({"object": "list", "data": [card]})


class LoadingLlama(FakeServer):
    """llama.cpp while it loads (tools/server/README.md)."""

    banner = "llama.cpp"

    def reply(self, _request: Received) -> Reply:
        error = {"code": 503, "message": "Loading model", "type": "unavailable_error"}
        return as_json({"error": error}, 503)


def test_llama_cpp_python_needs_no_health_endpoint() -> None:
    with LlamaCppPython() as server:
        seen = probe("llama_cpp", server.url, models=("default",))
        assert (seen.state, seen.detail) == (State.OK, "it answers as llama-cpp-python")


def test_llama_cpp_that_loads() -> None:
    with LoadingLlama() as server:
        seen = probe("llama_cpp", server.url)
        assert (seen.state, seen.detail) == (State.LOADING, "it is loading its model")


class Anthropic(FakeServer):
    """Anthropic's list of models (docs: GET /v1/models, x-api-key and anthropic-version are required)."""

    def reply(self, request: Received) -> Reply:
        headers = request.headers
        if headers.get("x-api-key") != "sk-ant-right" or "anthropic-version" not in headers:
            error = {"type": "authentication_error", "message": "invalid x-api-key"}
            return as_json({"type": "error", "error": error}, 401)
        card = {"type": "model", "id": "claude-x", "display_name": "x", "created_at": "2026-01-01T00:00:00Z"}
        return as_json({"data": [card], "has_more": False, "first_id": "claude-x", "last_id": "claude-x"})


def test_anthropic() -> None:
    with Anthropic() as server:
        seen = probe("anthropic", server.url, api_key="sk-ant-right", models=("claude-x",))
        assert (seen.state, seen.models, seen.missing_models) == (State.OK, ("claude-x",), ())
        assert probe("anthropic", server.url).state is State.UNAUTHORISED


@pytest.mark.parametrize("base", ["", "/v1", "/v1/", "/api/v1", "/v1beta/openai"])
def test_openai_like_path_is_never_doubled(base: str) -> None:
    with VllmServer() as server:
        probe("openai_compatible", server.url + base)
        path = server.requests[0].path
        assert path == (f"{base.rstrip('/')}/models" if base else "/v1/models")


def test_wrong_service_says_what_it_seems_to_be(llama: str) -> None:
    with OllamaServer() as ollama, VllmServer() as vllm, hostile.html_page() as page:
        urls = {"Ollama": ollama.url, "vLLM": vllm.url, "a llama.cpp server": llama}
        kinds = {"ollama": "Ollama", "vllm": "vLLM", "llama_cpp": "a llama.cpp server"}
        for kind, own in kinds.items():
            for service, url in urls.items():
                seen = probe(kind, url)
                if service == own:
                    assert seen.state is State.OK, seen
                else:
                    assert (seen.state, seen.seems_to_be) == (State.WRONG_SERVICE, service), seen
                    assert seen.detail == f"it does not answer as {own}: it seems to be {service}"
            seen = probe(kind, page.url)
            assert (seen.state, seen.seems_to_be) == (State.WRONG_SERVICE, "a web page, 'Welcome to nginx!'")


@pytest.mark.parametrize("kind", ["ollama", "llama_cpp", "vllm", "openai", "openai_compatible", "anthropic"])
def test_every_type_survives_hostile_servers(kind: str) -> None:
    worlds = {
        "html": (hostile.html_page(), {State.WRONG_SERVICE}),
        "endless": (hostile.endless_body(), {State.BAD_RESPONSE}),
        "bomb": (hostile.zip_bomb(64 * 1024 * 1024), {State.BAD_RESPONSE}),
        "drip": (hostile.slow_drip(), {State.TIMEOUT}),
        "silent": (hostile.never_answers(), {State.TIMEOUT}),
        "close": (hostile.closes_at_once(), {State.DOWN}),
        "redirect": (hostile.redirect("https://u:pw@elsewhere.example/?t=1"), {State.REDIRECTED}),
        "redis": (hostile.speaks(b"-ERR unknown command\r\n"), {State.WRONG_SERVICE}),
        "ssh": (hostile.speaks(b"SSH-2.0-OpenSSH_9.9\r\n"), {State.WRONG_SERVICE}),
        "list": (hostile.replies(b"[]"), {State.WRONG_SERVICE}),
        "null": (hostile.replies(b"null"), {State.WRONG_SERVICE}),
        "shape": (hostile.replies(b'{"models":[1],"data":[1],"version":[]}'), {State.WRONG_SERVICE}),
        "deep": (hostile.replies(b"[" * 100_000), {State.WRONG_SERVICE}),
        "broken": (hostile.replies(b"{}", status="500 Internal Server Error"), {State.BAD_RESPONSE}),
        "busy": (hostile.replies(b"{}", status="429 Too Many Requests"), {State.RATE_LIMITED}),
        "tls": (hostile.tls()[0], {State.TLS_ERROR}),
    }
    for server, _ in worlds.values():
        server.__enter__()
    try:
        targets = tuple(
            ProviderTarget(name=name, type=kind, base_url=server.url) for name, (server, _) in worlds.items()
        )
        seen = run_probes(ProbeTargets(providers=targets), timeout_s=TIMEOUT_S)
    finally:
        for server, _ in worlds.values():
            server.__exit__(None, None, None)
    for name, (_, states) in worlds.items():
        assert seen.provider(name).state in states, seen.provider(name)
    assert seen.provider("redirect").redirect_to == "https://***@elsewhere.example/?t=***"
    assert seen.duration_s < 10 * TIMEOUT_S


def test_unreachable_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    closed = probe("ollama", "http://127.0.0.1:9")
    assert (closed.state, closed.detail) == (State.DOWN, "nothing listens there: the connection is refused")
    assert probe("vllm", "http://no-such-host.invalid:8000", timeout_s=4).state in (
        State.DNS_ERROR,
        State.TIMEOUT,  # where the name server itself is out of reach
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:11434", "begins neither with http:// nor with https://"),
        ("http://", "names no host"),
        ("http://host:99999", "its port is no number from 0 to 65535"),
        ("http://user:pass/word@host:x/", "its port is no number from 0 to 65535"),
        ("http://host:0", "port 0"),
        ("http://[::1", "its host is malformed"),
        ("http://${OLLAMA_HOST}:1", "no host name"),
    ],
)
def test_bad_urls(url: str, words: str) -> None:
    seen = probe("ollama", url)
    assert seen.state is State.BAD_URL
    assert words in seen.detail
    assert "pass" not in seen.detail + seen.url


def test_tls_troubles_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trusted = tmp_path / "trusted.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    good, pem_good = hostile.tls()
    expired, pem_expired = hostile.tls(days=(-9, -1))
    future, pem_future = hostile.tls(days=(1, 9))
    elsewhere, pem_elsewhere = hostile.tls(host="elsewhere.example")
    stranger, _ = hostile.tls()
    trusted.write_bytes(pem_good + pem_expired + pem_future + pem_elsewhere)
    with good, expired, future, elsewhere, stranger, VllmServer() as plain:
        names = {
            "good": good.url,
            "expired": expired.url,
            "future": future.url,
            "elsewhere": elsewhere.url,
            "stranger": stranger.url,
            "plain": plain.url.replace("http:", "https:"),
            "asked-plainly": good.url.replace("https:", "http:"),
        }
        targets = tuple(ProviderTarget(name=name, type="openai", base_url=url) for name, url in names.items())
        seen = run_probes(ProbeTargets(providers=targets), timeout_s=TIMEOUT_S)
    told = {each.name: (each.state, each.detail) for each in seen.providers}
    assert told["good"][0] is State.WRONG_SERVICE  # TLS is fine, and a web page is behind it
    assert told["expired"] == (State.TLS_ERROR, "its certificate has expired")
    assert told["future"] == (State.TLS_ERROR, "its certificate is not valid yet")
    assert told["elsewhere"] == (State.TLS_ERROR, "its certificate is for another IP address")
    assert told["stranger"] == (State.TLS_ERROR, "its certificate is self-signed and not trusted here")
    assert told["plain"] == (
        State.TLS_ERROR,
        "what answers there does not speak TLS: plain http, it seems",
    )
    assert told["asked-plainly"] == (State.WRONG_SERVICE, "it speaks TLS, and is asked with http://")


def test_slow_is_ok_with_a_word() -> None:
    with VllmServer() as server:
        server.delay_s = 1.6
        seen = probe("openai_compatible", server.url, timeout_s=3.0)
        assert seen.state is State.SLOW
        assert seen.state.is_healthy
        assert seen.detail.startswith("it answers, but took ")


def test_configured_health_endpoint() -> None:
    with VllmServer() as server:
        seen = probe("openai_compatible", server.url, health_endpoint="health")
        assert (seen.health_endpoint_status, seen.health_endpoint_detail) == (200, None)
        seen = probe("openai_compatible", f"{server.url}/v1", health_endpoint="/v1/nothing")
        assert (seen.state, seen.health_endpoint_status) == (State.OK, 404)
        assert seen.health_endpoint_detail == "/v1/nothing: it answers 404"
        before = len(server.requests)
        seen = probe("openai_compatible", server.url, health_endpoint="http://elsewhere.example/health")
        assert seen.health_endpoint_detail == "it is on another host (elsewhere.example), and was not asked"
        assert len(server.requests) == before + 1


class LiteLlmLike(FakeServer):
    """What a provider's probe meets on a LiteLLM proxy (1.106), whose /health calls every model."""

    def reply(self, request: Received) -> Reply:
        if request.path == "/v1/models":
            return as_json({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "openai"}]})
        if request.path == "/health/liveliness":
            return as_json("I'm alive!")
        if request.path == "/":
            return Reply(body=hostile.PAGE.replace(b"nginx", b"Swagger"), content_type="text/html")
        return as_json({"detail": "Not Found"}, 404)


@pytest.mark.parametrize("kind", ["ollama", "llama_cpp", "vllm", "openai_compatible"])
def test_health_of_a_litellm_proxy_is_never_asked(kind: str) -> None:
    with LiteLlmLike() as server:
        seen = probe(kind, server.url, health_endpoint="/health")
        assert "/health" not in [each.path for each in server.requests]
        assert seen.health_endpoint_detail is not None
        assert "costs money" in seen.health_endpoint_detail
        if kind != "openai_compatible":
            assert seen.seems_to_be == "a LiteLLM proxy"


def test_proxies_of_the_environment_are_not_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with OllamaServer() as server:
        assert probe("ollama", server.url).state is State.OK

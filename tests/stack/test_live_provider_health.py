"""Check 7 against servers that run: every trouble under its own name, and none where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pytest_aibackend.probes.observations import State
from pytest_aibackend.rules import provider_health
from tests.fakes import hostile
from tests.fakes.ollama import OllamaServer
from tests.fakes.ports import free_port
from tests.fakes.real import llama_server, valkey_server
from tests.fakes.server import Received, Reply, as_json
from tests.fakes.vllm import VllmServer
from tests.stack.live_config import Judged, judge, redis_gateway, run_checks, write_config

TIMEOUT_S = 3.0
KEY = "sk-provider-7f3a9c51d2"
WRONG_KEY = "sk-provider-wrong-88e1"
# What llama.cpp's server sends while it loads, byte for byte.
LOADING = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
LISTED = b'{"object":"list","data":[{"id":"m","object":"model"}]}'

Healthy: list[tuple[str, str]] = []


class LimitedOllama(OllamaServer):
    """An Ollama behind something that limits its rate."""

    def reply(self, _request: Received) -> Reply:
        return as_json({"error": "too many requests"}, 429)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """A provider for every state there is, all probed in one run."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        start = stack.enter_context
        patch.setenv("FLEET_KEY", KEY)
        patch.setenv("FLEET_WRONG_KEY", WRONG_KEY)
        patch.delenv("FLEET_UNSET_KEY", raising=False)
        ollama = start(OllamaServer(models=["llama3.1:8b", "qwen2.5-coder:7b", "all-minilm"]))
        late = start(VllmServer(models=["m"]))
        late.delay_s = 0.6 * TIMEOUT_S  # more than the half of it, which is slow
        vllm = start(VllmServer(models=["m"], api_key=KEY))
        dead_engine = start(VllmServer(models=["m"]))
        dead_engine.engine_dead = True
        limited = start(LimitedOllama())
        llama = start(llama_server(alias="tiny"))
        locked = start(llama_server(alias="tiny", api_keys=[KEY]))
        hanging, page = start(hostile.never_answers()), start(hostile.html_page())
        moved = start(hostile.redirect("https://elsewhere.example/v1"))
        broken = start(hostile.endless_body())
        failing = start(hostile.replies(b'{"error":"boom"}', status="500 Internal Server Error"))
        loading = start(hostile.replies(LOADING, status="503 Service Unavailable"))
        secure = start(hostile.tls(LISTED)[0])
        cache = start(valkey_server())
        nobody = f"http://127.0.0.1:{free_port()}"

        def one(kind: str, url: str, *models: str, **more: Any) -> dict[str, Any]:
            return {"type": kind, "base_url": url, "models": list(models), **more}

        yield judge(
            write_config(
                tmp_path_factory.mktemp("fleet") / "config",
                providers={
                    "ollama": one("ollama", ollama.url, "llama3.1:8b", "all-minilm"),
                    "llama": one("llama_cpp", f"{llama}/v1", "tiny", health_endpoint="/v1/models"),
                    "locked": one("llama_cpp", locked, "tiny", env_var="FLEET_KEY"),
                    "vllm": one("vllm", vllm.url, "m", env_var="FLEET_KEY", health_endpoint="/health"),
                    "off": one("ollama", nobody, "llama3.1:8b", status="disabled"),
                    "down": one("ollama", nobody, "llama3.1:8b"),
                    "down-required": one("ollama", nobody, "llama3.1:8b", required=True),
                    "unknown-host": one("vllm", "http://no-such-host.invalid:8001/v1", "m", required=True),
                    "engine-dead": one("vllm", dead_engine.url, "m", required=True),
                    "hanging": one("ollama", hanging.url, required=True),
                    "hanging-optional": one("ollama", hanging.url),
                    "slow": one("openai_compatible", late.url, "m", required=True),
                    "loading": one("llama_cpp", loading.url, "tiny", required=True),
                    "loading-optional": one("llama_cpp", loading.url),
                    "no-key": one("llama_cpp", locked, "tiny"),
                    "wrong-key": one("vllm", vllm.url, "m", env_var="FLEET_WRONG_KEY"),
                    "unset-key": one("vllm", vllm.url, "m", env_var="FLEET_UNSET_KEY", requires_api_key=True),
                    "unset-optional": one("ollama", ollama.url, env_var="FLEET_UNSET_KEY"),
                    "page": one("ollama", page.url, "llama3.1:8b"),
                    "vllm-as-ollama": one("ollama", vllm.url),
                    "ollama-as-vllm": one("vllm", ollama.url),
                    "redis-as-vllm": one("vllm", f"http://127.0.0.1:{cache.port}"),
                    "moved": one("openai_compatible", moved.url),
                    "self-signed": one("openai_compatible", secure.url, "m"),
                    "tls-to-plain": one("openai_compatible", ollama.url.replace("http", "https")),
                    "plain-to-tls": one("openai_compatible", secure.url.replace("https", "http")),
                    "broken": one("openai_compatible", broken.url, required=True),
                    "failing": one("openai_compatible", failing.url),
                    "limited": one("ollama", limited.url, required=True),
                    "bad-endpoint": one("ollama", ollama.url, health_endpoint="/health"),
                    "missing": one("ollama", ollama.url, "llama3.1:8b", "llama3.1:70b", "qwen2.5"),
                    "missing-llama": one("llama_cpp", llama, "tiny", "huge"),
                },
            ),
            7,
            timeout_s=TIMEOUT_S,
        )


@pytest.mark.parametrize(
    ("provider", "found", "words"),
    [
        ("ollama", Healthy, ()),
        ("llama", Healthy, ()),
        ("locked", Healthy, ()),
        ("vllm", Healthy, ()),
        ("down", [("provider-down", "warning")], ("nothing listens there",)),
        ("down-required", [("provider-down", "error")], ("nothing listens there",)),
        ("unknown-host", [("provider-down", "error")], ("host name",)),
        ("engine-dead", [("provider-down", "error")], ("/health", "engine")),
        ("hanging", [("provider-timeout", "error")], ("3 s",)),
        ("hanging-optional", [("provider-timeout", "warning")], ("3 s",)),
        ("slow", [("provider-slow", "warning")], ("took", "3 s")),
        ("loading", [("provider-loading", "error")], ("loading its model",)),
        ("loading-optional", [("provider-loading", "warning")], ("loading its model",)),
        ("no-key", [("provider-unauthorised", "error")], ("key",)),
        ("wrong-key", [("provider-unauthorised", "error")], ("key",)),
        ("unset-key", [("provider-key-unset", "error")], ("FLEET_UNSET_KEY",)),
        ("unset-optional", [("provider-key-unset", "warning")], ("FLEET_UNSET_KEY",)),
        ("page", [("provider-wrong-service", "error")], ("as Ollama", "a web page")),
        ("vllm-as-ollama", [("provider-wrong-service", "error")], ("as Ollama", "vLLM")),
        ("ollama-as-vllm", [("provider-wrong-service", "error")], ("as vLLM", "Ollama")),
        ("redis-as-vllm", [("provider-wrong-service", "error")], ("Redis",)),
        ("moved", [("provider-wrong-service", "error")], ("https://elsewhere.example/v1",)),
        ("self-signed", [("provider-tls", "error")], ("self-signed",)),
        ("tls-to-plain", [("provider-tls", "error")], ("does not speak TLS",)),
        ("plain-to-tls", [("provider-wrong-service", "error")], ("it speaks TLS",)),
        ("broken", [("provider-bad-response", "error")], ("large",)),
        ("failing", [("provider-bad-response", "warning")], ("500",)),
        ("limited", [("provider-bad-response", "error")], ("429",)),
        ("bad-endpoint", [("health-endpoint-fails", "warning")], ("/health", "404")),
        ("missing", Healthy, ()),
    ],
)
def test_each_trouble_has_its_own_name(
    fleet: Judged, provider: str, found: list[tuple[str, str]], words: tuple[str, ...]
) -> None:
    assert fleet.of(provider) == found, [str(each) for each in fleet.findings if each.subject == provider]
    for rule, _ in found:
        message = fleet.message(rule, provider)
        for word in words:
            assert word in message


def test_a_disabled_provider_is_not_asked(fleet: Judged) -> None:
    assert "off" not in fleet.subjects["provider-health"]
    assert "off" not in [each.name for each in fleet.observations.providers]


def test_a_missing_model_is_named_with_what_is_there(fleet: Judged) -> None:
    assert fleet.of("missing/llama3.1:8b") == []
    message = fleet.message("model-not-on-provider", "missing/llama3.1:70b")
    assert message == (
        "missing does not list 'llama3.1:70b'; it lists all-minilm:latest, llama3.1:8b, qwen2.5-coder:7b"
    )
    assert fleet.of("missing/qwen2.5") == [("model-not-on-provider", "error")]
    assert fleet.of("missing-llama/tiny") == []
    assert fleet.message("model-not-on-provider", "missing-llama/huge").endswith("; it lists tiny")


def test_findings_point_at_the_line_of_what_is_to_be_mended(fleet: Judged) -> None:
    lines = (fleet.backend.config_dir / "providers.yaml").read_text(encoding="utf-8").splitlines()
    by_rule = {each.rule: lines[(each.location.line or 0) - 1].strip() for each in fleet.findings}
    assert by_rule["model-not-on-provider"] == "- huge"
    assert by_rule["provider-unauthorised"] == "env_var: FLEET_WRONG_KEY"
    assert by_rule["health-endpoint-fails"] == "health_endpoint: /health"
    assert by_rule["provider-down"].startswith("base_url: http://")


@pytest.mark.parametrize(
    "model", ["down/llama3.1:8b", "down-required/llama3.1:8b", "page/llama3.1:8b", "loading/tiny"]
)
def test_models_of_a_provider_that_cannot_be_asked_warn(fleet: Judged, model: str) -> None:
    assert fleet.of(model) == [("model-unknown-while-down", "warning")]


def test_every_state_has_its_words() -> None:
    assert set(provider_health._TROUBLES) == set(State)


def test_models_of_a_healthy_provider_pass(fleet: Judged) -> None:
    for model in ("ollama/llama3.1:8b", "ollama/all-minilm", "llama/tiny", "locked/tiny", "vllm/m"):
        assert model in fleet.subjects["provider-model"]
        assert fleet.of(model) == []


def test_no_key_is_repeated(fleet: Judged) -> None:
    said = repr(fleet.observations) + "".join(f"{each} {each.hint}" for each in fleet.findings)
    assert KEY not in said
    assert WRONG_KEY not in said


def test_a_certificate_that_is_trusted_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, certificate = hostile.tls(LISTED)
    (tmp_path / "ca.pem").write_bytes(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with server:
        secure = {"type": "openai_compatible", "base_url": server.url, "models": ["m"]}
        assert judge(write_config(tmp_path / "config", providers={"secure": secure}), 7).findings == ()


def test_a_fleet_that_hangs_costs_one_timeout(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(hostile.never_answers()) for _ in range(20)]
        providers: dict[str, dict[str, Any]] = {
            f"dead-{number:02}": {"type": "ollama", "base_url": server.url}
            for number, server in enumerate(servers)
        }
        folder = write_config(tmp_path / "config", providers=providers)
        judged = judge(folder, 7, timeout_s=1.0)
    assert judged.rules == ["provider-timeout"] * 20
    assert judged.observations.duration_s < 10


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Runs of pytest over the shipped checks, each in a process of its own."""
    folder = tmp_path_factory.mktemp("runs")
    password = "redis-password-51b07ae2"
    secrets = {"FLEET_KEY": KEY, "FLEET_WRONG_KEY": WRONG_KEY, "REDIS_PASSWORD": password}
    secrets |= {"LITELLM_MASTER_KEY": "sk-master-9be4417d0c"}
    with (
        OllamaServer(models=["llama3.1:8b"]) as ollama,
        VllmServer(models=["m"], api_key=KEY) as vllm,
        valkey_server(password=password) as valkey,
    ):
        providers: dict[str, dict[str, Any]] = {
            "ollama": {"type": "ollama", "base_url": ollama.url, "required": True},
            "vllm": {"type": "vllm", "base_url": vllm.url, "models": ["m"], "env_var": "FLEET_KEY"},
            "refused": {"type": "vllm", "base_url": vllm.url, "env_var": "FLEET_WRONG_KEY"},
            "down": {"type": "ollama", "base_url": f"http://127.0.0.1:{free_port()}"},
        }
        providers["ollama"]["models"] = ["llama3.1:8b", "llama3.1:70b"]
        gateway = redis_gateway(valkey.port, password="os.environ/REDIS_PASSWORD")
        gateway["deploy"] = {"url": f"http://127.0.0.1:{free_port()}"}
        generated = {"model_list": [{"model_name": "a", "litellm_params": {"model": "openai/m"}}]}
        config = write_config(folder / "config", providers=providers, gateway=gateway, generated=generated)
        runs: dict[str, Any] = {"secrets": list(secrets.values())}

        def run(name: str, *options: str, checks: tuple[int, ...] = (7, 8, 11)) -> None:
            before = len(ollama.requests)
            runs[name] = run_checks(config, *options, checks=checks, env=secrets)
            runs[f"asked {name}"] = sorted(each.path for each in ollama.requests[before:])

        run("alone")
        run("two workers", "-n", "2", "-vv", "--showlocals")
        run("redis only", "-k", "redis")
        yield runs


def test_the_findings_and_the_exit_status(runs: dict[str, Any]) -> None:
    run = runs["alone"]
    assert run.returncode == 1
    assert sorted(run.rules(7)) == ["model-not-on-provider", "provider-down", "provider-unauthorised"]
    assert set(run.rules(8)) == {"gateway-not-alive", "model-group-not-served"}
    assert run.rules(11) == []
    assert run.check(11)["status"] == "passed"
    assert "Traceback" not in run.output


def test_xdist_changes_nothing_but_durations(runs: dict[str, Any]) -> None:
    assert runs["two workers"].verdict == runs["alone"].verdict
    assert runs["two workers"].returncode == runs["alone"].returncode


def test_each_endpoint_is_probed_once_however_many_workers(runs: dict[str, Any]) -> None:
    asked = ["/", "/api/ps", "/api/tags", "/api/version"]
    assert runs["asked alone"] == asked
    assert runs["asked two workers"] == asked


def test_what_is_not_selected_is_not_probed(runs: dict[str, Any]) -> None:
    run = runs["redis only"]
    assert runs["asked redis only"] == []
    assert run.returncode == 0
    assert run.check(11)["status"] == "passed"


@pytest.mark.parametrize("name", ["alone", "two workers", "redis only"])
def test_no_secret_comes_out(runs: dict[str, Any], name: str) -> None:
    for secret in runs["secrets"]:
        assert secret not in runs[name].output
        assert secret not in runs[name].report


def test_an_optional_provider_that_is_down_does_not_fail_the_run(tmp_path: Path) -> None:
    down: dict[str, Any] = {"type": "ollama", "base_url": f"http://127.0.0.1:{free_port()}"}
    optional = run_checks(write_config(tmp_path / "a" / "config", providers={"down": down}), checks=(7,))
    assert (optional.returncode, optional.check(7)["status"]) == (0, "warned")
    needed = write_config(tmp_path / "b" / "config", providers={"down": {**down, "required": True}})
    required = run_checks(needed, checks=(7,))
    assert (required.returncode, required.check(7)["status"]) == (1, "failed")

"""Check 8 against the real LiteLLM, and against stand-ins for what it does not show on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import hostile
from tests.fakes.gateway import Gateway, litellm_gateway
from tests.fakes.ports import free_port
from tests.fakes.server import as_json
from tests.fakes.vllm import VllmServer
from tests.stack.live_config import Judged, StandInGateway, judge, run_checks, write_config

WRONG_KEY = "sk-wrong-0f4c8e7713"
ENDPOINTS = ("liveness", "readiness", "models", "key", "workers")


@dataclass(frozen=True, kw_only=True)
class Running:
    """A gateway, and the file that it was started with."""

    gateway: Gateway
    file: dict[str, Any]  # without the deployment that LiteLLM drops
    dropped: dict[str, Any]


def deployment(name: str, url: str, model: str = "openai/m", **more: Any) -> dict[str, Any]:
    params = {"model": model, "api_base": f"{url}/v1", "api_key": "none", **more}
    return {"model_name": name, "litellm_params": params}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The real LiteLLM with groups, wildcards and aliases; some of its deployments are dead."""
    nobody = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        alive = stack.enter_context(VllmServer(models=["m"]))
        file: dict[str, Any] = {
            "model_list": [
                deployment("alive", alive.url),
                deployment("dead", nobody),
                deployment("backed", nobody),
                {**deployment("vectors", nobody), "model_info": {"mode": "embedding"}},
                deployment("Qwen/*", alive.url, "hosted_vllm/Qwen/*"),
                # LiteLLM lists this one as gpt-4 and so on, which its own pattern does not match.
                deployment("gpt/*", alive.url, "openai/*"),
                deployment("org/part-*", alive.url, "openai/part-*"),
            ],
            "router_settings": {
                "num_retries": 0,
                "fallbacks": [{"backed": ["alive"]}],
                "model_group_alias": {"nick": "alive", "secret": {"model": "alive", "hidden": True}},
            },
            "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        }
        dropped = deployment("dropped", alive.url, "no-such-provider/m")
        started = {**file, "model_list": [*file["model_list"], dropped]}
        folder = write_config(tmp_path_factory.mktemp("gateway") / "config", generated=started)
        gateway = stack.enter_context(litellm_gateway(folder / "litellm-unified.yaml"))
        yield Running(gateway=gateway, file=file, dropped=dropped)


def judge_gateway(
    folder: Path, url: str, file: Mapping[str, Any] | None, *, timeout_s: float = 10.0, **more: Any
) -> Judged:
    gateway = {"general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"}, "deploy": {"url": url}}
    return judge(
        write_config(folder / "config", gateway=gateway, generated=file), 8, timeout_s=timeout_s, **more
    )


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch, running: Running) -> str:
    monkeypatch.setenv("LITELLM_MASTER_KEY", running.gateway.key)
    return running.gateway.key


class TestRealLiteLLM:
    """What LiteLLM 1.106 says, and what is made of it."""

    def test_all_is_well(self, running: Running, with_key: str, tmp_path: Path) -> None:
        judged = judge_gateway(tmp_path, running.gateway.url, running.file)

        assert [str(each) for each in judged.findings] == []
        assert judged.subjects["gateway-endpoint"] == ENDPOINTS
        groups = ("alive", "dead", "backed", "vectors", "Qwen/*", "gpt/*", "org/part-*", "nick")
        assert judged.subjects["gateway-model-group"] == groups
        (seen,) = judged.observations.gateways
        assert seen.answered == seen.asks == 12
        assert (seen.no_key_refused, seen.wrong_key_refused, seen.key_accepted) == (True, True, True)
        assert not seen.workers_disagree
        assert with_key not in repr(judged.observations)

    @pytest.mark.usefixtures("with_key")
    def test_no_deployment_was_called(self, running: Running, tmp_path: Path) -> None:
        judge_gateway(tmp_path, running.gateway.url, running.file)

        assert "chat/completions" not in running.gateway.log.read_text(errors="replace")

    @pytest.mark.usefixtures("with_key")
    def test_a_group_that_is_not_served_is_named(self, running: Running, tmp_path: Path) -> None:
        more = [*running.file["model_list"], deployment("new", "http://127.0.0.1:1")]
        more.append(deployment("local/*", "http://127.0.0.1:1", "hosted_vllm/*"))
        judged = judge_gateway(tmp_path, running.gateway.url, {**running.file, "model_list": more})

        assert judged.of("new") == [("model-group-not-served", "error")]
        assert judged.of("local/*") == [("model-group-not-served", "error")]
        assert judged.message("model-group-not-served", "new") == "the gateway does not serve 'new'"
        assert len(judged.findings) == 2
        lines = (tmp_path / "config" / "litellm-unified.yaml").read_text().splitlines()
        (place,) = [each.location.line for each in judged.findings if each.subject == "new"]
        assert lines[(place or 0) - 1].strip() == "- model_name: new"

    @pytest.mark.usefixtures("with_key")
    def test_a_deployment_that_litellm_dropped_is_named(self, running: Running, tmp_path: Path) -> None:
        file = {**running.file, "model_list": [*running.file["model_list"], running.dropped]}
        judged = judge_gateway(tmp_path, running.gateway.url, file)

        assert judged.of("dropped") == [("model-group-not-served", "error")]
        assert len(judged.findings) == 1

    @pytest.mark.usefixtures("with_key")
    def test_an_alias_that_is_not_served_is_named(self, running: Running, tmp_path: Path) -> None:
        settings = {**running.file["router_settings"], "model_group_alias": {"nick": "alive", "pal": "alive"}}
        judged = judge_gateway(tmp_path, running.gateway.url, {**running.file, "router_settings": settings})

        assert judged.of("pal") == [("model-group-not-served", "error")]
        assert len(judged.findings) == 1

    @pytest.mark.usefixtures("with_key")
    def test_a_group_that_the_file_does_not_name_is_a_ghost(self, running: Running, tmp_path: Path) -> None:
        fewer = [each for each in running.file["model_list"] if each["model_name"] != "dead"]
        judged = judge_gateway(tmp_path, running.gateway.url, {**running.file, "model_list": fewer})

        assert judged.of("dead") == [("ghost-model-group", "error")]
        assert len(judged.findings) == 1

    @pytest.mark.usefixtures("with_key")
    def test_a_wildcard_that_the_file_does_not_name_is_one_ghost(
        self, running: Running, tmp_path: Path
    ) -> None:
        fewer = [each for each in running.file["model_list"] if each["model_name"] != "gpt/*"]
        judged = judge_gateway(tmp_path, running.gateway.url, {**running.file, "model_list": fewer})

        assert judged.of("gpt/*") == [("ghost-model-group", "error")]
        assert len(judged.findings) == 1

    def test_a_wrong_key_is_refused(
        self, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LITELLM_MASTER_KEY", WRONG_KEY)
        judged = judge_gateway(tmp_path, running.gateway.url, running.file)

        assert judged.of("key") == [("gateway-key-refused", "error")]
        assert judged.of("liveness") == judged.of("readiness") == judged.of("models") == []
        # What it serves could not be seen: said, but not as if it were missing.
        assert judged.of("alive") == [("model-group-not-served", "warning")]
        assert WRONG_KEY not in repr(judged.observations) + repr(judged.findings)

    def test_a_missing_key_is_named(self, running: Running, tmp_path: Path) -> None:
        judged = judge_gateway(tmp_path, running.gateway.url, running.file)

        assert judged.of("key") == [("gateway-key-missing", "error")]
        assert judged.of("liveness") == judged.of("readiness") == judged.of("models") == []

    @pytest.mark.usefixtures("with_key")
    def test_completions_only_when_asked_for(self, running: Running, tmp_path: Path) -> None:
        judged = judge_gateway(tmp_path, running.gateway.url, running.file, completions=True)

        assert judged.of("alive") == judged.of("nick") == []
        assert judged.of("vectors") == []  # not for chatting
        assert judged.of("dead") == [("completion-fails", "error")]
        assert judged.of("backed") == [("completion-fails", "warning")]
        assert "after 1 fallback" in judged.message("completion-fails", "backed")

    def test_a_whole_run(self, running: Running, tmp_path: Path) -> None:
        gateway = {"deploy": {"url": running.gateway.url}}
        folder = write_config(tmp_path / "config", gateway=gateway, generated=running.file)
        env = {"LITELLM_MASTER_KEY": running.gateway.key}
        good = run_checks(folder, "-n", "2", "-v", checks=(8,), env=env)

        assert good.returncode == 0, good.output
        assert good.check(8)["status"] == "passed"
        assert good.check(8)["tests"] == 13
        assert "test_gateway_model_group[Qwen/*]" in good.output

        bad = run_checks(folder, checks=(8,), env={"LITELLM_MASTER_KEY": WRONG_KEY})
        assert bad.returncode == 1
        assert "gateway-key-refused" in bad.rules(8)
        for run, key in ((good, running.gateway.key), (bad, WRONG_KEY)):
            assert key not in run.output + run.report


SMALL = {"model_list": [deployment("a", "http://127.0.0.1:1"), deployment("b", "http://127.0.0.1:1")]}


class TestStandIns:
    """Faults that the real one cannot be brought to in a moment."""

    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-stand-in")

    def test_a_good_one_passes(self, tmp_path: Path) -> None:
        with StandInGateway(["a", "b"]) as server:
            assert judge_gateway(tmp_path, server.url, SMALL).findings == ()

    def test_down(self, tmp_path: Path) -> None:
        judged = judge_gateway(tmp_path, f"http://127.0.0.1:{free_port()}", SMALL)

        assert [each.rule for each in judged.findings if each.subject in ENDPOINTS] == ["gateway-not-alive"]
        assert "nothing listens there" in judged.message("gateway-not-alive")
        assert judged.of("a") == [("model-group-not-served", "warning")]

    def test_hanging(self, tmp_path: Path) -> None:
        with hostile.never_answers() as server:
            judged = judge_gateway(tmp_path, server.url, SMALL, timeout_s=0.5)

        assert judged.of("liveness") == [("gateway-not-alive", "error")]
        assert "0.5 s" in judged.message("gateway-not-alive")

    def test_something_else(self, tmp_path: Path) -> None:
        with hostile.html_page() as server:
            judged = judge_gateway(tmp_path, server.url, SMALL)

        assert judged.of("liveness") == [("gateway-not-alive", "error")]
        assert "it seems to be a web page" in judged.message("gateway-not-alive")
        assert judged.of("key") == []  # a web page lets everybody in, and is no gateway

    def test_open_to_everybody(self, tmp_path: Path) -> None:
        with StandInGateway(["a", "b"], key=None) as server:
            judged = judge_gateway(tmp_path, server.url, SMALL)

        assert judged.rules == ["gateway-open"]
        message = judged.message("gateway-open", "key")
        assert message == "the gateway answers requests with a wrong key and with no key"

    def test_workers_that_disagree(self, tmp_path: Path) -> None:
        with StandInGateway(["a", "b"], ["a"]) as server:
            judged = judge_gateway(tmp_path, server.url, SMALL)

        assert judged.of("workers") == [("gateway-workers-disagree", "error")]
        assert "listed 1 model (6 times), 2 models (6 times)" in judged.message("gateway-workers-disagree")
        assert judged.of("b") == [("model-group-not-served", "error")]
        assert "some of its workers" in judged.message("model-group-not-served", "b")
        assert judged.of("a") == []

    def test_not_ready(self, tmp_path: Path) -> None:
        with StandInGateway(["a", "b"]) as server:
            server.readiness = as_json({"status": "healthy", "db": "Not connected"}, 503)
            judged = judge_gateway(tmp_path, server.url, SMALL)

        assert judged.of("readiness") == [("gateway-not-ready", "error")]
        assert "/health/readiness: it answers 503 (" in judged.message("gateway-not-ready")
        assert len(judged.findings) == 1

    def test_models_that_cannot_be_read(self, tmp_path: Path) -> None:
        with StandInGateway(["a", "b"]) as server:
            server.models_fault = as_json({"error": {"message": "boom", "type": "internal"}}, 500)
            judged = judge_gateway(tmp_path, server.url, SMALL)

        assert judged.of("models") == [("gateway-models-unreadable", "error")]
        assert "/v1/models: it answers 500 (" in judged.message("gateway-models-unreadable")
        assert judged.of("a") == [("model-group-not-served", "warning")]

    def test_slow(self, tmp_path: Path) -> None:
        with StandInGateway(["a", "b"]) as server:
            server.delay_s = 1.2
            judged = judge_gateway(tmp_path, server.url, SMALL, timeout_s=2.0)

        (finding,) = judged.findings
        assert (finding.rule, str(finding.severity)) == ("gateway-slow", "warning")
        assert finding.subject in ENDPOINTS
        assert "of 2 s" in finding.message

    def test_without_a_generated_file_groups_are_not_compared(self, tmp_path: Path) -> None:
        with StandInGateway(["a"]) as server:
            judged = judge_gateway(tmp_path, server.url, None)

        assert judged.findings == ()
        assert judged.subjects["gateway-model-group"] == ()

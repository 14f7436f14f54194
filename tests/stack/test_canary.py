"""The canary with the real LiteLLM: what it refuses and why, what it leaves alone, what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import yaml

from pytest_aibackend.deploy.canary import client as canary_client
from pytest_aibackend.deploy.canary.client import Canary, CanaryResult, find_litellm
from tests.fakes.openai_server import RecordingServer
from tests.fakes.real import ValkeyServer, valkey_server
from tests.waiting import wait_until

KEY = "sk-the-master-key-of-this-test-1"
# With the last, what LiteLLM's own process runs is measured too, by `make coverage`.
KEPT = ("PATH", "HOME", "COVERAGE_PROCESS_CONFIG")
ENVIRONMENT = {name: os.environ[name] for name in KEPT if name in os.environ} | {
    "LITELLM_MASTER_KEY": KEY,
    "PROVIDER_URL": "http://127.0.0.1:9/v1",
}
NAMESPACE = "litellm:unified"
SLEEP = str(1_000_000 + os.getpid())  # tells our sleepers from those of another run
HANG = "import signal, subprocess, time\nfor number in (2, 15): signal.signal(number, signal.SIG_IGN)\n"
HANG += f"subprocess.Popen(['sleep', '{SLEEP}'])\ntime.sleep(1000)\n"


def candidate(*models: dict[str, Any] | str, **sections: Any) -> bytes:
    """Return a gateway file with one good model group `a`, these entries, and these sections."""
    good = {
        "model_name": "a",
        "litellm_params": {"model": "openai/x", "api_base": "os.environ/PROVIDER_URL", "api_key": "k"},
    }
    data = {
        "model_list": [good, *models],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    return yaml.safe_dump(data | sections).encode()


def model(name: str, what: str, **more: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": what, **more}}


def callback(name: str) -> bytes:
    return candidate(litellm_settings={"callbacks": [f"{name}.handler"]})


@dataclass(frozen=True, kw_only=True)
class Warm:
    """A canary that has LiteLLM loaded, and what it said of its first candidate."""

    canary: Canary
    cold: CanaryResult
    told: list[str]
    valkey: ValkeyServer  # the service's environment leads to it
    provider: RecordingServer  # and to this one
    ollama_started: Path

    def try_out(self, raw: bytes, within_s: float = 60) -> CanaryResult:
        return self.canary.try_out(raw, self.told.append, within_s=within_s)


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the deployed file would lie, with modules for callbacks beside it."""
    folder = tmp_path_factory.mktemp("deployed")
    good = "from litellm.integrations.custom_logger import CustomLogger\nhandler = CustomLogger()\n"
    modules = {"good": good, "hangs": HANG, "broken": "x = 1 +\n", "empty": ""}
    refuse = "async def check(request, api_key):\n    raise Exception('not you')\n"
    modules |= {"sibling": "x = 1\n", "theirs": f"import sibling\n{refuse}"}
    modules["killed"] = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def warm(beside: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    programs = tmp_path_factory.mktemp("programs")
    started = programs / "started"
    ollama = programs / "ollama"
    ollama.write_text(f"#!/bin/sh\ntouch {started}\n")
    ollama.chmod(0o755)
    provider = RecordingServer("provider").start()
    with valkey_server() as valkey:
        environment = ENVIRONMENT | {
            "PATH": f"{programs}:{ENVIRONMENT['PATH']}",
            "PROVIDER_URL": f"{provider.url}/v1",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(valkey.port),
            # What a gateway of ours has in its environment, and must not lead the canary astray.
            "LITELLM_WORKER_STARTUP_HOOKS": "pytest_aibackend.serving.absent:hook",
            "CONFIG_FILE_PATH": "/absent.yaml",
            "DATABASE_URL": "postgresql://127.0.0.1:9/absent",
        }
        told: list[str] = []
        with Canary(sys.executable, environment, directory=beside) as canary:
            cold = canary.try_out(candidate(), told.append)
            yield Warm(
                canary=canary,
                cold=cold,
                told=told,
                valkey=valkey,
                provider=provider,
                ollama_started=started,
            )
            (host,) = hosts()
        assert not is_running(host)
    assert not list(beside.glob("__pycache__"))
    provider.stop()


def hosts() -> list[psutil.Process]:
    """Return the processes of this one that hold LiteLLM."""
    children = psutil.Process().children()
    return [child for child in children if "canary.py" in " ".join(child.cmdline())]


def test_a_good_candidate_boots_and_a_second_one_in_the_same_process(warm: Warm) -> None:
    assert warm.cold.problems == ()
    assert warm.cold.ok
    assert (warm.cold.groups, warm.cold.deployments) == (1, 1)
    assert "LiteLLM is loading, 1 s" in warm.told
    more = candidate(
        model("b", "ollama_chat/llama3"),
        model("b", "hosted_vllm/q", api_base="http://127.0.0.1:9/v1", weight=2),
        model("gpt/*", "openai/*", api_key="k"),
        model("gpt/*", "openai/*", api_key="k", api_base="http://127.0.0.1:9/v1"),
        model("Qwen/*", "Qwen/*", custom_llm_provider="hosted_vllm", api_base="http://127.0.0.1:9/v1"),
        router_settings={"model_group_alias": {"c": "b", "d": {"model": "a", "hidden": True}}},
        litellm_settings={"callbacks": ["good.handler"]},
    )
    (host,) = hosts()
    result = warm.try_out(more)
    assert hosts() == [host]  # LiteLLM, whose import takes seconds, is loaded once
    assert result.problems == ()
    assert (result.groups, result.deployments) == (5, 6)
    assert not warm.ollama_started.exists()


REFUSALS: dict[str, tuple[bytes, str]] = {
    "no-yaml": (b"model_list: [a\nb: {", "the candidate is not what LiteLLM can read: .*line 2, column 2"),
    "empty": (b"# nothing\n", "the candidate is not what LiteLLM can read: the file holds no YAML"),
    "a-list": (b"- a\n- b\n", "the candidate is no mapping of settings"),
    "no-models": (b"models: []\n", "the candidate has no model_list"),
    "strategy": (
        candidate(router_settings={"routing_strategy": "fastest"}),
        "router_settings.routing_strategy is 'fastest', which LiteLLM does not know; it knows simple",
    ),
    "two-keys": (
        candidate(router_settings={"fallbacks": [{"a": ["b"], "b": ["a"]}]}),
        "one entry of the fallbacks has 2 keys \\('a', 'b'\\)",
    ),
    "no-params": (candidate({"model_name": "b"}), "model_list\\[1\\] \\('b'\\) has no litellm_params"),
    "no-model": (
        candidate({"model_name": "b", "litellm_params": {"api_key": "k"}}),
        "model_list\\[1\\] \\('b'\\) names no litellm_params.model",
    ),
    "no-mapping": (candidate("b"), "model_list\\[1\\] is no mapping"),
    "number": (candidate(model(4.6, "openai/x")), "model_list\\[1\\].model_name is 4.6, no text"),  # type: ignore[arg-type]  # on purpose
    "no-module": (
        callback("absent"),
        "callbacks\\[0\\] names absent.handler, but LiteLLM cannot import 'handler' from 'absent'",
    ),
    "no-attribute": (
        callback("empty"),
        "names empty.handler, but LiteLLM cannot import 'handler' from 'empty'",
    ),
    "no-python": (callback("broken"), "LiteLLM refuses the candidate: SyntaxError: invalid syntax"),
    "misplaced": (
        candidate(router_settings={"health_check_interval": 5}),
        "router_settings.health_check_interval: LiteLLM takes it under general_settings only",
    ),
    "cache": (
        candidate(
            litellm_settings={"cache": True, "cache_params": {"type": "redis", "host": "h", "hots": 1}}
        ),
        "cache_params.hots: the Redis client knows no such setting",
    ),
    "alias": (
        candidate(router_settings={"model_group_alias": [{"b": "a"}]}),
        "router_settings.model_group_alias is a list",
    ),
    "alias-to-nothing": (
        candidate(router_settings={"model_group_alias": {"b": "zip"}}),
        "LiteLLM does not serve model group 'b'",
    ),
    "weak-key": (
        candidate(general_settings={"master_key": "sk-1234"}),
        "the master key is a published example",
    ),
    "empty-key": (candidate(general_settings={"master_key": ""}), "the master key is empty"),
    "unset-key": (
        candidate(general_settings={"master_key": "os.environ/ABSENT"}),
        "general_settings.master_key names os.environ/ABSENT, which the service's environment lacks",
    ),
    "unset-provider-key": (
        candidate(model("b", "openai/x", api_key="os.environ/ABSENT")),
        "model_list\\[1\\].litellm_params.api_key names os.environ/ABSENT, which the service's",
    ),
    "unknown-provider": (
        candidate(model("b", "nobody/x", api_base="http://me:hunter2@127.0.0.1:9")),
        (
            "LiteLLM dropped deployment nobody/x at http://\\*\\*\\*@127.0.0.1:9 of model group 'b':"
            " unknown provider prefix 'nobody/'$"
        ),
    ),
    "one-of-two": (
        candidate(model("a", "openai/y", rpm="600/min")),
        "LiteLLM dropped deployment openai/y of model group 'a': rpm: Input should be a valid integer",
    ),
    "a-wildcard": (
        candidate(model("w/*", "nobody/*")),
        "LiteLLM dropped deployment nobody/\\* of model group 'w/\\*': unknown provider prefix 'nobody/'",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_litellm_refuses_or_drops_is_said_in_plain_words(warm: Warm, name: str) -> None:
    raw, said = REFUSALS[name]
    result = warm.try_out(raw)
    assert not result.ok
    (problem,) = result.problems
    assert re.search(said, problem), problem


def test_modules_beside_the_deployed_file_are_found_and_a_custom_check_of_keys_is_left_alone(
    warm: Warm,
) -> None:
    general = {"master_key": "os.environ/LITELLM_MASTER_KEY", "custom_auth": "theirs.check"}
    assert warm.try_out(candidate(general_settings=general)).problems == ()
    assert "what is served was not compared: custom_auth does not accept the master key" in warm.told


def test_every_trouble_is_told_at_once_and_no_secret_with_it(warm: Warm) -> None:
    result = warm.try_out(
        candidate(
            model("b", f"nobody/{KEY}", api_key="os.environ/ABSENT"),
            model("c", "openai/x", api_key="literal-secret-1", rpm="literal-secret-1"),
        )
    )
    assert len(result.problems) == 3
    text = " ".join(result.problems)
    assert "os.environ/ABSENT" in text
    assert "nobody/***" in text
    assert KEY not in text
    assert "literal-secret-1" not in text


def test_litellm_that_hangs_or_is_killed_is_a_refusal_and_the_next_candidate_a_fresh_start(
    warm: Warm,
) -> None:
    hung = warm.try_out(callback("hangs"), within_s=2)
    assert len(hung.problems) == 1
    assert hung.problems[0].startswith("LiteLLM did not become ready within 2 s")
    wait_until(lambda: not sleepers())
    killed = warm.try_out(callback("killed"))
    assert killed.problems == ("LiteLLM was killed while it booted: out of memory, or somebody ended it",)
    assert warm.try_out(candidate()).problems == ()


def test_an_interrupt_stops_the_candidate_and_not_the_canary(warm: Warm) -> None:
    def press_ctrl_c(_: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        warm.canary.try_out(callback("hangs"), press_ctrl_c)
    wait_until(lambda: not sleepers())
    assert warm.try_out(candidate()).problems == ()


def sleepers() -> list[psutil.Process]:
    """Return what a hanging candidate started."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] == ["sleep", SLEEP] and is_running(process)
    ]


def listen_in(server: ValkeyServer, commands: list[str]) -> socket.socket:
    """Note every command that a Valkey gets."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(b"MONITOR\r\n")
    lines = connection.makefile(encoding="utf-8", errors="replace")
    assert lines.readline().startswith("+OK")

    def note() -> None:
        for line in lines:
            commands.append(line.partition("] ")[2].strip())  # noqa: PERF401  (each when it comes)

    threading.Thread(target=note, daemon=True).start()
    return connection


REDIS = {"host": "os.environ/REDIS_HOST", "port": "os.environ/REDIS_PORT"}
HEALTH_CHECKS = {
    "master_key": "os.environ/LITELLM_MASTER_KEY",
    "background_health_checks": True,
    "health_check_interval": 1,
}
WHERE_REDIS_IS: dict[str, dict[str, Any]] = {
    "cache": {
        "litellm_settings": {
            "cache": True,
            "cache_params": {"type": "redis", "namespace": NAMESPACE, **REDIS},
            "enable_redis_auth_cache": True,
        }
    },
    "cache-of-the-environment": {"litellm_settings": {"cache": True}},
    "semantic-cache": {
        "litellm_settings": {"cache": True, "cache_params": {"type": "redis-semantic", **REDIS}}
    },
    "router": {
        "router_settings": {
            **{f"redis_{name}": value for name, value in REDIS.items()},
            "routing_strategy": "usage-based-routing-v2",
        }
    },
    "coordination": {"general_settings": {**HEALTH_CHECKS, "coordination_redis": REDIS}},
    "environment": {},
}


def dump(client: redis.Redis) -> dict[bytes, object]:
    """Return everything that is in a Redis."""
    return {bytes(key): client.dump(key) for key in client.scan_iter()}


@pytest.mark.parametrize("where", WHERE_REDIS_IS)
def test_neither_redis_nor_a_model_is_touched(warm: Warm, where: str) -> None:
    """Nothing is read or written outside the canary's own namespace, and no provider is asked."""
    client = warm.valkey.client()
    client.flushall()
    client.set(f"{NAMESPACE}:answer", "kept")
    client.set("daily_metrics_report_sent", "kept", ex=3600)
    before = dump(client)
    sections = {"general_settings": HEALTH_CHECKS} | WHERE_REDIS_IS[where]
    raw = candidate(model("o", "ollama_chat/llama3", api_base=warm.provider.url), **sections)
    commands: list[str] = []
    with listen_in(warm.valkey, commands):
        result = warm.try_out(raw)
        client.echo("done")
        wait_until(lambda: '"ECHO" "done"' in commands)
    assert result.problems == ()
    harmless = ("HELLO", "CLIENT", "INFO", "PING", "ECHO")
    touching = [command for command in commands if not command.startswith(tuple(f'"{x}"' for x in harmless))]
    assert [command for command in touching if '" "aibackend-canary:' not in command] == []
    assert {key: value for key, value in dump(client).items() if b"aibackend-canary:" not in key} == before
    client.close()
    assert warm.provider.asked == []


def test_two_canaries_do_not_disturb_each_other_and_one_that_dies_comes_back(
    warm: Warm, beside: Path
) -> None:
    before = hosts()
    with Canary(sys.executable, ENVIRONMENT, directory=beside) as other:
        assert other.try_out(candidate(), warm.told.append).ok
        (host,) = [process for process in hosts() if process not in before]
        results: list[CanaryResult] = []

        def try_often() -> None:
            results.extend(other.try_out(candidate(model("b", "openai/b")), lambda _: None) for _ in range(4))

        thread = threading.Thread(target=try_often)
        thread.start()
        ours = [warm.try_out(candidate(model("c", "openai/c"), model("d", "openai/d"))) for _ in range(4)]
        thread.join()
        assert [(each.problems, each.groups) for each in (*ours, *results)] == [((), 3)] * 4 + [((), 2)] * 4

        def kill_when_it_hangs() -> None:
            wait_until(sleepers)
            host.kill()

        killer = threading.Thread(target=kill_when_it_hangs)
        killer.start()
        died = other.try_out(callback("hangs"), lambda _: None)
        killer.join()
        assert died.problems == ("LiteLLM was killed: out of memory, or somebody ended it",)
        wait_until(lambda: not sleepers())
        assert other.try_out(candidate(), lambda _: None).ok


def test_a_port_that_is_taken_in_between_is_tried_anew_with_another(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    reserved = canary_client._reserved_port

    @contextmanager
    def taken_at_first() -> Iterator[int]:
        with reserved() as port, socket.socket() as somebody:
            if not given:
                somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                somebody.bind(("127.0.0.1", port))
                somebody.listen()
            given.append(port)
            yield port

    monkeypatch.setattr(canary_client, "_reserved_port", taken_at_first)
    assert warm.try_out(candidate()).problems == ()
    assert len(set(given)) == 2


def test_litellm_that_cannot_be_loaded_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "litellm.py").write_text("raise ImportError('no module named nothing')\n")
    environment = ENVIRONMENT | {"PYTHONPATH": str(tmp_path)}
    with Canary(sys.executable, environment) as canary:
        (problem,) = canary.try_out(candidate(), lambda _: None).problems
    assert problem == "LiteLLM cannot be loaded: ImportError: no module named nothing"
    with Canary(str(tmp_path / "python"), ENVIRONMENT) as canary:
        (problem,) = canary.try_out(candidate(), lambda _: None).problems
    assert re.fullmatch(r"\S+/python cannot be started: .*No such file.*", problem)


def test_the_interpreter_that_has_litellm_is_found_without_importing_it(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    alias = str(Path(sys.executable).with_name("python3"))
    assert find_litellm(None) == sys.executable
    assert find_litellm(alias) == alias
    assert find_litellm(str(tmp_path / "bare" / "bin" / "python")) is None
    assert find_litellm(str(tmp_path / "absent")) is None


CLIENT = """
import sys
from pathlib import Path
from pytest_aibackend.deploy.canary.client import Canary
with Canary(sys.executable, {environment!r}, directory=Path({beside!r})) as canary:
    canary.try_out({raw!r}, lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize(
    ("phase", "number"),
    [("loading", signal.SIGKILL), ("loading", signal.SIGINT), ("booting", signal.SIGKILL)],
    ids=["loading-kill", "loading-interrupt", "booting-kill"],
)
def test_nothing_outlives_its_client(phase: str, number: int, beside: Path, tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"}
    code = CLIENT.format(environment=environment, beside=str(beside), raw=callback("hangs"))
    temporary = os.environ | {"TMPDIR": str(tmp_path)}
    client = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=temporary
    )
    try:
        assert client.stdout is not None
        assert b"loading" in client.stdout.readline()
        if phase == "booting":
            wait_until(sleepers, within_s=60)
        family = psutil.Process(client.pid).children(recursive=True)
        assert len(family) >= {"loading": 1, "booting": 3}[phase]
        client.send_signal(number)
        client.wait(60)
        wait_until(lambda: not [each for each in family if is_running(each)])
        wait_until(lambda: not [*tmp_path.iterdir()])
    finally:
        client.kill()
        client.communicate()


def is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""Deployments that LiteLLM drops, or whose servers it does not find."""

from __future__ import annotations

import copy

from pytest_aibackend.findings import Path
from tests.generated.faults.hand import Hand, fault

__all__: list[str] = []


@fault
def unknown_provider(hand: Hand) -> Path:
    path, params = hand.params()
    params["model"] = f"{hand.one_of(['olama', 'local', 'llama-cpp', 'my-provider'])}/tiny"
    return (*path, "model")


@fault
def vllm_without_a_server(hand: Hand) -> Path:
    path, params = hand.params()
    params["model"] = "vllm/tiny"
    return (*path, "model")


@fault
def address_of_ollama_with_v1(hand: Hand) -> Path:
    path, _ = hand.server(hand.one_of(["ollama", "ollama_chat"]), "http://127.0.0.1:11434/v1")
    return (*path, "api_base")


@fault
def address_without_v1(hand: Hand) -> Path:
    path, _ = hand.server(hand.one_of(["openai", "hosted_vllm", "lm_studio"]), "http://10.0.0.5:8000")
    return (*path, "api_base")


@fault
def address_with_the_path_of_a_request(hand: Hand) -> Path:
    path, _ = hand.server("openai", "http://10.0.0.5:8000/v1/chat/completions")
    return (*path, "api_base")


@fault
def address_without_scheme(hand: Hand) -> Path:
    path, _ = hand.server(
        hand.one_of(["openai", "ollama"]), hand.one_of(["10.0.0.5:8000", "localhost:8000/v1"])
    )
    return (*path, "api_base")


@fault
def no_address(hand: Hand) -> Path:
    path, params = hand.server(hand.one_of(["hosted_vllm", "lm_studio", "ollama_chat"]), "")
    del params["api_base"]
    hand.data.get("litellm_settings", {}).pop("api_base", None)  # which would do for all
    return (*path, "api_base")


@fault
def embedding_model_without_mode(hand: Hand) -> Path:
    index, deployment = hand.deployment()
    deployment["litellm_params"]["model"] = "hosted_vllm/nomic-embed-text"
    deployment.pop("model_info", None)
    return ("model_list", index, "litellm_params", "model")


@fault
def group_of_two_modes(hand: Hand) -> Path:
    _, deployment = hand.deployment()
    one, other = ("chat", "embedding")
    deployment.setdefault("model_info", {})["mode"] = one
    twin = copy.deepcopy(deployment)
    twin["model_info"]["mode"] = other
    hand.data["model_list"] = [deployment, twin]
    return ("model_list", 1)

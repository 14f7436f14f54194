"""Asking the canary's LiteLLM: is it up, and what does it serve. None of it makes LiteLLM ask a provider."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_aibackend.deploy.canary.host import Host

if TYPE_CHECKING:
    import httpx

__all__ = ["Answers", "AskError", "ask", "wait_ready"]

KNOCK_S: Final = 2.0  # for one answer of a LiteLLM that is still starting
ANSWER_S: Final = 30.0
PACE_S: Final = 0.03
QUIET_S: Final = 2.0  # a boot that takes longer is told of
REFUSED: Final = frozenset({400, 401, 403, 500})  # a key that is not accepted; without a database 400 or 500


class AskError(Exception):
    """LiteLLM is up and does not say what it serves; the text says what came back."""

    def __init__(self, text: str, *, is_refusal: bool = False) -> None:
        """Note whether the key was not accepted."""
        super().__init__(text)
        self.is_refusal = is_refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What /v1/models and /model/info say."""

    models: Any
    info: Any


def wait_ready(host: Host, port: int, deadline: float, tell: Callable[[str], None]) -> int | None:
    """Wait until LiteLLM is alive and ready; return None, or the status that it ended with instead.

    Raises TimeoutError, and HostError.
    """
    began = told = time.monotonic()
    with _client(port, KNOCK_S) as client:
        while (now := time.monotonic()) < deadline:
            event = host.next_event(PACE_S)
            if event is not None and event["event"] == "exited":
                status: int = event["status"]
                return status
            if _is_well(client, "/health/liveliness") and _is_well(client, "/health/readiness"):
                return None
            if now - told >= QUIET_S:
                tell(f"LiteLLM boots the candidate, {now - began:.0f} s")
                told = now
    raise TimeoutError


def _is_well(client: httpx.Client, path: str) -> bool:
    import httpx

    try:
        return client.get(path).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def ask(port: int, key: str) -> Answers:
    """Ask what is served, with this key; raises AskError."""
    with _client(port, ANSWER_S, key) as client:
        return Answers(
            models=_get(client, "/v1/models?return_wildcard_routes=true"), info=_get(client, "/model/info")
        )


def _get(client: httpx.Client, path: str) -> Any:
    import httpx

    try:
        answer = client.get(path)
        document = answer.json() if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError) as error:
        raise AskError(f"LiteLLM is ready, but GET {path} fails: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        said = " ".join(answer.text.split())[:200]
        refused = answer.status_code in REFUSED
        raise AskError(
            f"LiteLLM is ready, but answers GET {path} with {answer.status_code}: {said}", is_refusal=refused
        )
    return document


def _client(port: int, timeout_s: float, key: str = "") -> httpx.Client:
    import httpx

    headers = {b"authorization": b"Bearer " + key.encode(errors="replace")} if key else {}
    # Proxy settings are for the world outside, not for this machine.
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}", timeout=timeout_s, trust_env=False, headers=headers
    )

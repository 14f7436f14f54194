"""One worker of a gateway without LiteLLM: uvicorn, our start-up hook, and an application that tells its pid.

    python -m tests.fakes.worker PROTOCOL DESCRIPTOR

PROTOCOL is h11 or httptools, DESCRIPTOR a listening socket that is inherited.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

import uvicorn

from pytest_aibackend.serving import worker


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the pid."""
    while (await receive()).get("more_body"):
        pass
    body = str(os.getpid()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve(protocol: str, descriptor: str) -> None:
    """Serve until told to go."""
    kind: Any = protocol
    config = uvicorn.Config(app, http=kind, lifespan="off", timeout_keep_alive=60)
    worker.start()
    await uvicorn.Server(config).serve(sockets=[socket.socket(fileno=int(descriptor))])


def main() -> None:
    """Serve as the command line says."""
    asyncio.run(serve(*sys.argv[1:]))


if __name__ == "__main__":
    main()

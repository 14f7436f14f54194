"""Many endpoints in one process of its own, so that they do not share the prober's interpreter.

`python tests/fakes/fleet.py ALIVE HANGING` prints the ports of living Ollama-like servers and of servers that
accept and never answer, as one JSON line, and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys

BODIES = {
    b"/": (b"text/plain", b"Ollama is running"),
    b"/api/version": (b"application/json", b'{"version":"0.12.6"}'),
    b"/api/tags": (b"application/json", b'{"models":[{"name":"llama3.1:8b","model":"llama3.1:8b"}]}'),
    b"/api/ps": (b"application/json", b'{"models":[]}'),
}


async def serve_ollama(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            kind, body = BODIES[head.split(b" ", 2)[1]]
            line = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
            writer.write(line + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the prober has had enough
    finally:
        writer.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main(alive: int, hanging: int) -> None:
    ports: dict[str, list[int]] = {"alive": [], "hanging": []}
    servers = []
    for name, number, handler in (("alive", alive, serve_ollama), ("hanging", hanging, hang)):
        for _ in range(number):
            server = await asyncio.start_server(handler, "127.0.0.1", 0)
            servers.append(server)
            ports[name].append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))

"""One llama.cpp server in a process of its own: `python -m pytest_aibackend.stack.llama_server`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

__all__ = ["main"]

CONTEXT = 2048  # tokens, shared by the slots
SLOTS = 2
LONGEST_ANSWER = 256  # tokens, where the client names no limit: a random model seldom stops by itself


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one model file on one loopback port until SIGTERM or SIGINT; 1 if the server cannot start."""
    parser = argparse.ArgumentParser(prog="python -m pytest_aibackend.stack.llama_server")
    parser.add_argument("--model", required=True, help="GGUF file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--alias", action="append", required=True, help="a name that the model goes by")
    options = parser.parse_args(arguments)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = set(options.alias)
    params.hostnames = [options.host]
    params.port = options.port
    params.n_ctx = CONTEXT
    params.n_parallel = SLOTS
    params.n_predict = LONGEST_ANSWER
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1  # two servers and a gateway share what may be two cores
    params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 64  # a kept connection holds one, also while it is idle
    params.cache_ram_mib = 0
    params.ui = False
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        address = f"{options.host}:{options.port}"
        print(f"llama.cpp did not start on {address}: {error}", file=sys.stderr, flush=True)
        return 1
    print(f"serving {', '.join(options.alias)} on {server.listening_address}", flush=True)
    stop.wait()
    del server
    return 0


if __name__ == "__main__":
    sys.exit(main())

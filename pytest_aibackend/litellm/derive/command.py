"""`aibackend schema derive`: the schema of the LiteLLM that is installed here, written to a file."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from pytest_aibackend.sources.wording import listed

__all__ = ["DeriveError", "derive_text", "run"]

# LiteLLM takes defaults from the environment; the schema is that of an environment without any.
_KEPT: Final = ("PATH", "HOME", "TMPDIR", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")
_QUIET: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it waits for a download
    "LITELLM_MODE": "PRODUCTION",  # else it reads a .env file
    "PYTHONHASHSEED": "0",
}


class DeriveError(Exception):
    """The schema cannot be derived; the text says why, and what to do."""


def run(output: Path | None) -> int:
    """Write the schema to a file, with the names of models beside it, or print it; return the exit status."""
    if output is not None and not output.parent.is_dir():
        print(f"error: cannot write {output}: there is no folder {output.parent}", file=sys.stderr)
        return 2
    try:
        schema, models, missed = derive_text()
        if missed:
            print(f"note: {_note(missed)}", file=sys.stderr)
        if output is None:
            print(schema, end="")
            return 0
        beside = output.with_name(f"{output.stem}.models.json")
        output.write_text(schema, encoding="utf-8")
        beside.write_text(models, encoding="utf-8")
    except DeriveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot write {output}: {error.strerror or error}", file=sys.stderr)
        return 2
    print(output)
    print(beside)
    return 0


def derive_text() -> tuple[str, str, list[str]]:
    """Return the texts of the schema and of the names of models, derived in a process of its own.

    The third thing is which keys of additions.yaml this LiteLLM does not show.

    Raises:
        DeriveError: LiteLLM is not installed, or not as the derivation knows it.
    """
    if importlib.util.find_spec("litellm") is None:
        raise DeriveError(  # pragma: no cover - seen where nothing is installed, nor what would measure it
            "LiteLLM is not installed for this Python, so there is nothing to derive from;"
            " install it: pip install 'litellm[proxy]'"
        )
    with tempfile.TemporaryDirectory() as place:
        target = Path(place, "schema.json")
        done = subprocess.run(
            [sys.executable, "-m", "pytest_aibackend.litellm.derive", str(target)],
            env={**{name: os.environ[name] for name in _KEPT if name in os.environ}, **_QUIET},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise DeriveError(
                f"the installed LiteLLM cannot be read: {last};"
                " is the proxy's part installed, too? pip install 'litellm[proxy]'"
            )
        beside = [target.with_name(f"schema.{name}") for name in ("models.json", "missed.txt")]
        models, missed = [path.read_text(encoding="utf-8") for path in beside]
        return target.read_text(encoding="utf-8"), models, missed.splitlines()


def _note(missed: list[str]) -> str:
    return (
        f"this LiteLLM does not have the lines that additions.yaml names for {listed(missed, shown=8)};"
        " before the schema is shipped, look where it reads them"
    )

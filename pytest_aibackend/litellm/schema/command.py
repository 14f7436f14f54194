"""`aibackend schema litellm`: the schema of a LiteLLM config.yaml, for an editor."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_aibackend.litellm.schema import SchemaError, load_schema
from pytest_aibackend.litellm.schema.editor import editor_schema, text_of

__all__ = ["run"]


def run(output: Path | None, version: str | None) -> int:
    """Write the schema to a file, or print it; return the exit status."""
    try:
        text = text_of(editor_schema(load_schema(version)))
    except SchemaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if output is None:
        print(text, end="")
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"error: cannot write {output}: {error.strerror or error}", file=sys.stderr)
        return 2
    print(output)
    return 0

"""Safe, bounded YAML: bytes in, plain data with the place of every value out.

Scalars get the meaning that PyYAML's safe loader gives them, because that is what LiteLLM reads its file
with (1.106.2, proxy/proxy_server.py).
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

from pytest_aibackend.sources.yaml_builder import MAX_DEPTH, MAX_VALUES, Builder, Document
from pytest_aibackend.sources.yaml_problems import (
    RefusedError,
    YamlProblem,
    place_of,
    syntax_problem,
    unreadable_character,
)

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "Document", "YamlProblem", "parse"]

MAX_BYTES: Final = 16 * 1024 * 1024

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(raw: bytes, *, keep_last: bool = False) -> tuple[Document | None, list[YamlProblem]]:
    """Read one YAML document; return it, or None and why not, with every duplicate key named.

    With `keep_last` duplicate keys are problems, too, but the last of each is kept, as LiteLLM does.
    Raises nothing: whatever is wrong with the bytes is in the problems.
    """
    try:
        builder = _read(_decode(raw))
    except RefusedError as refused:
        return None, [refused.problem]
    if builder.problems and not keep_last:
        return None, builder.problems
    document = builder.document
    return document, builder.problems if document else [_empty()]


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise RefusedError(
            YamlProblem(
                rule="file-too-large",
                message=f"the file has more than {MAX_BYTES:,} bytes, and is not read",
                hint="split it, or remove what does not belong in a configuration",
            )
        )
    try:
        # utf-8-sig: a byte order mark is no part of the first key.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        read = error.object  # without the byte order mark
        line, column = place_of(read[: error.start].decode("utf-8"))
        looks = "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding, such as Latin-1"
        raise RefusedError(
            YamlProblem(
                rule="not-utf8",
                message=f"byte 0x{read[error.start]:02x} is not UTF-8; the file looks like {looks}",
                hint="save the file as UTF-8",
                line=line,
                column=column,
            )
        ) from None


def _read(text: str) -> Builder:
    builder = Builder()
    try:
        loader = _Loader(text)
        try:
            while loader.check_event():
                builder.take(loader.get_event())
        finally:
            loader.dispose()
    except ReaderError as error:
        raise RefusedError(unreadable_character(error, text)) from None
    except MarkedYAMLError as error:
        raise RefusedError(syntax_problem(error, text)) from None
    return builder


def _empty() -> YamlProblem:
    return YamlProblem(
        rule="empty-file",
        message="the file holds no YAML: it is empty or has only comments",
        hint="write the settings, or restore the file from version control",
        line=1,
        column=1,
    )

"""What may be printed, and what not."""

from __future__ import annotations

import pytest

from pytest_aibackend.sources.secrets import is_secret_key, redact_line, redact_text, redact_url, show_value


@pytest.mark.parametrize(
    "key",
    [
        "api_key",
        "master_key",
        "password",
        "aws_secret_access_key",
        "token",
        "access_token",
        "database_url",
        "key",
        "openai_key",
        "x-custom-key",
    ],
)
def test_keys_that_hold_secrets(key: str) -> None:
    assert is_secret_key(key)
    assert "hunter2" not in show_value(key, "hunter2")
    assert "hunter2" not in redact_line(f"+    {key}: hunter2")
    assert "os.environ/NAME" in redact_line(f"-    {key}: os.environ/NAME")


@pytest.mark.parametrize(
    "key",
    [
        "env_var",
        "tokens_per_minute",
        "max_tokens",
        "token_count",
        "requires_api_key",
        "model",
        "keyword",
        "cache_key",
    ],
)
def test_keys_that_hold_none(key: str) -> None:
    assert not is_secret_key(key)
    assert "llama" in show_value(key, "llama")
    assert redact_line(f" {key}: llama") == f" {key}: llama"


def test_urls_lose_user_and_password() -> None:
    assert redact_url("http://bob:hunter2@host:80/v1?api_key=hunter2") == "http://***@host:80/v1?***"
    assert "hunter2" not in redact_line("+      api_base: http://bob:hunter2@host:80/v1")
    assert "hunter2" not in show_value("base_url", "http://bob:hunter2@host")


def test_what_a_program_said() -> None:
    said = "refused: password=hunter2 user=bob\ntoken: 'hunter2'\napi_key=os.environ/KEY of redis://:hunter2@host"
    assert redact_text(said) == (
        "refused: password=*** user=bob\ntoken: ***\napi_key=os.environ/KEY of redis://***@host"
    )


def test_key_shaped_text_is_hidden_wherever_it_stands() -> None:
    assert "abcdef123456" not in show_value("note", "use sk-abcdef123456 here")
    assert "abcdef123456" not in redact_line("# key sk-abcdef123456")

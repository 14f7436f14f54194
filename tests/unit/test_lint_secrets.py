"""Literal secrets: what detect-secrets calls one, `aibackend lint` calls one, wherever it stands."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins import keyword

from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.lint.token_shapes import kind_of_secret
from pytest_aibackend.litellm.schema import load_schema, shipped_lines
from tests.oracle.cases import load_cases

SCHEMA = load_schema("1.106")
PLUGINS: dict[str, Any] = get_mapping_from_secret_type_to_class()
DETECTORS = {plugin.__name__: plugin for plugin in PLUGINS.values()}
# Put together here, so that no scanner takes this file for one with secrets in it.
LETTERS = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789" * 3
HEX = "0123456789abcdef" * 6
JWT = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "somebody", "iat": 1516239022}, {"sig": "natural"})
)
# By detector: secrets that are known by their shape, whatever they are called.
SHAPES: dict[str, list[str]] = {
    "ArtifactoryDetector": ["AKC" + LETTERS[:20], "AP6" + LETTERS[:20]],
    "AWSKeyDetector": ["AKIA" + "Q3EGRIS7BXYZ2WVU", "A3TX" + "Q3EGRIS7BXYZ2WVU"],
    "AzureStorageKeyDetector": ["AccountName=a;AccountKey=" + LETTERS[:86] + "=="],
    "BasicAuthDetector": ["https://somebody:h4rd-t0-gue55@example.org/path"],
    "DiscordBotTokenDetector": ["M" + LETTERS[:23] + "." + LETTERS[:6] + "." + LETTERS[:27]],
    "GitHubTokenDetector": ["ghp_" + LETTERS[:36], "ghs_" + LETTERS[:36]],
    "GitLabTokenDetector": [
        *(
            f"gl{kind}-{LETTERS[:length]}"
            for kind, length in [("pat", 20), ("dt", 20), ("ft", 20), ("rt", 20)]
        ),
        *(f"gl{kind}-{LETTERS[:length]}" for kind, length in [("cbt", 20), ("imt", 25), ("ptt", 40)]),
        *(f"gl{kind}-{LETTERS[:length]}" for kind, length in [("soat", 20), ("agent", 50), ("oas", 64)]),
        "GR1348941" + LETTERS[:20],
    ],
    "JwtTokenDetector": [JWT, JWT.rpartition(".")[0]],
    "MailchimpDetector": [HEX[:32] + "-us12"],
    "NpmDetector": ["//packages.example.com/:_authToken=npm_" + LETTERS[:36]],
    "OpenAIDetector": ["sk-" + LETTERS[:20] + "T3Blbk" + "FJ" + LETTERS[:20]],
    "PrivateKeyDetector": [
        f"-----BEGIN {kind} KEY-----\nMIIEpAIBAAKCAQEA"
        for kind in ("RSA PRIVATE", "DSA PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE", "PRIVATE")
    ]
    + ["BEGIN PGP PRIVATE KEY BLOCK", "BEGIN SSH2 ENCRYPTED PRIVATE KEY", "PuTTY-User-Key-File-2: ssh-rsa"],
    "PypiTokenDetector": [
        "pypi-AgEIcHlwaS5vcmc" + LETTERS[:75],
        "pypi-AgENdGVzdC5weXBpLm9yZw" + LETTERS[:75],
    ],
    "SendGridDetector": ["SG." + LETTERS[:22] + "." + LETTERS[:43]],
    "SlackDetector": [
        "xoxb-" + "523423-234243-234233-e039d02840a0b9379c",
        "https://hooks.slack.com/services/" + "T0AAAA/B0AAAA/" + LETTERS[:24],
    ],
    "SoftlayerDetector": ["https://api.softlayer.com/soap/v3/" + HEX[:64]],
    "SquareOAuthDetector": ["sq0csp-" + LETTERS[:43]],
    "StripeDetector": ["sk_live_" + LETTERS[:24], "rk_live_" + LETTERS[:24]],
    "TelegramBotTokenDetector": ["110201543:" + LETTERS[:35]],
    "TwilioKeyDetector": ["AC" + HEX[:32], "SK" + HEX[:32]],
}
WORDS = sorted({word.replace("_?", joined) for word in keyword.DENYLIST for joined in ("_", "")})
# By detector: secrets that are known by what they are called.
NAMED: dict[str, list[tuple[str, str]]] = {
    "AWSKeyDetector": [("aws_secret_access_key", LETTERS[:40])],
    "CloudantDetector": [("cloudant_password", HEX[:64]), ("cloudant_apikey", "abcdefghijklmnopqrstuvwx")],
    "IbmCloudIamDetector": [("ibm_cloud_iam_api_key", LETTERS[:44])],
    "IbmCosHmacDetector": [("cos_hmac_secret_access_key", HEX[:48])],
    "KeywordDetector": [(word, "Xk29fjq83hfqq2") for word in WORDS],
    "SoftlayerDetector": [("softlayer_api_key", HEX[:64])],
}
NO_SECRETS = {
    "IPPublicDetector": "an address is no secret",
    "Base64HighEntropyString": "names of models are as random; fields are known by their names",
    "HexHighEntropyString": "the same",
}


def found(config: dict[str, Any]) -> set[str]:
    raw = yaml.safe_dump(config).encode()
    return {
        finding.rule
        for finding in lint(LintDocument.read(raw, "config.yaml"), SCHEMA).findings
        if finding.rule in ("literal-secret", "credentials-in-url", "master-key-literal")
    }


def holding(name: str, value: str) -> list[dict[str, Any]]:
    """Return configs with a value in several places."""
    deployment = {
        "model_name": "main",
        "litellm_params": {"model": "openai/main", "extra_body": {name: value}},
    }
    return [
        {"model_list": [deployment]},
        {"model_list": [{**deployment, "litellm_params": {"model": "openai/a", name: value}}]},
        {
            "model_list": [
                {**deployment, "litellm_params": {"model": "openai/a", "extra_headers": {name: value}}}
            ]
        },
        {"environment_variables": {name.upper(): value}},
        {"general_settings": {name: value}},
        {"guardrails": [{"guardrail_name": "a", "litellm_params": {"guardrail": "aim", name: value}}]},
    ]


def test_every_detector_is_compared() -> None:
    assert sorted(DETECTORS) == sorted({*SHAPES, *NAMED, *NO_SECRETS})


@pytest.mark.parametrize("detector", SHAPES)
def test_secret_by_its_shape(detector: str) -> None:
    for value in SHAPES[detector]:
        assert [*DETECTORS[detector]().analyze_string(value)], "the example is none"
        listed = {"litellm_settings": {"notes": ["first", value]}}
        inside = {"model_list": [{"model_info": {"about": f"use {value}"}}]}
        for config in [*holding("note", value), listed, inside]:
            assert found(config), config


@pytest.mark.parametrize("detector", NAMED)
def test_secret_by_its_name(detector: str) -> None:
    for name, value in NAMED[detector]:
        assert [*DETECTORS[detector]().analyze_string(f'{name} = "{value}"')], "the example is none"
        for config in holding(name, value):
            assert found(config), config


PLACEHOLDERS = [
    *(
        "os.environ/OPENAI_API_KEY",
        "none",
        "dummy",
        "not-needed",
        "sk-1234",
        "sk-...",
        "your-api-key",
        "EMPTY",
    ),
    *(
        "<your key>",
        "my-api-key",
        "anything",
        "sk-your-openai-api-key-2",
        "xxx",
        "ollama",
        "fake-key",
        "lm-studio",
    ),
]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_a_word_in_the_place_of_a_key_is_none(value: str) -> None:
    for config in holding("api_key", value):
        assert not found(config), config


@pytest.mark.parametrize("line", shipped_lines())
def test_no_name_of_a_model_is_a_secret(line: str) -> None:
    schema = load_schema(line)
    names = {name for listed in schema._models["bare"].values() for name in listed}
    names |= {name for listed in schema._models["modes"].values() for name in listed}
    assert len(names) > 500
    assert [name for name in sorted(names) if kind_of_secret(name)] == []


def test_no_correct_config_of_the_corpus_holds_one() -> None:
    correct = [case for case in load_cases() if case.kind == "correct"]
    documents = {case.name: LintDocument.read(case.text.encode(), case.name) for case in correct}
    known = {
        f"{name}: {text}"
        for name, document in documents.items()
        for _, text in document.texts
        if kind_of_secret(text)
    }
    assert len(documents) > 50
    assert known == set()

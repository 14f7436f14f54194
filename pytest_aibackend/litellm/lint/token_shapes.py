"""Texts that are secrets by their shape: keys and tokens of well-known kinds.

The shapes are those that detect-secrets looks for, and those of the providers that LiteLLM speaks to; a test
holds them against its detectors. detect-secrets itself is not used: it looks at lines, where we have values
with their names, importing it takes longer than the rest of the linter, and its measure of entropy finds
names of models.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["kind_of_secret"]

_SHAPES: Final = {
    "a private key": r"BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY|PuTTY-User-Key-File-\d",
    "a key of Anthropic": r"\bsk-ant-[\w-]{16,}",
    "a key of OpenRouter": r"\bsk-or-v1-[0-9a-f]{32,}",
    "a key of OpenAI's kind": r"\bsk-(?!proj-x|x{3})(?:proj-|svcacct-|admin-)?(?=[\w-]*\d)[A-Za-z0-9_-]{20,}",
    "a token of Hugging Face": r"\bhf_[A-Za-z0-9]{30,}",
    "a key of Google": r"\bAIza[\w-]{35}",
    "a key of Groq": r"\bgsk_[A-Za-z0-9]{40,}",
    "a key of NVIDIA": r"\bnvapi-[\w-]{40,}",
    "a key of xAI": r"\bxai-[A-Za-z0-9]{40,}",
    "a key of Perplexity": r"\bpplx-[A-Za-z0-9]{32,}",
    "a token of Replicate": r"\br8_[A-Za-z0-9]{30,}",
    "a key of LangSmith": r"\blsv2_(?:pt|sk)_[0-9a-f_]{32,}",
    "a key of Langfuse": r"\bsk-lf-[0-9a-f-]{30,}",
    "a key of AWS": r"\b(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[0-9A-Z]{16}\b",
    "a token of GitHub": r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36}|\bgithub_pat_\w{22,}",
    "a token of GitLab": r"\bgl(?:pat|dt|ft|rt|ptt|imt|cbt|soat|agent|oas)-[\w-]{20,}|\bGR1348941[\w-]{20,}",
    "a token of Slack": r"\bxox[abeoprs]-[\w-]{10,}",
    "a webhook of Slack": r"hooks\.slack\.com/(?:services|workflows)/[\w/]{8,}",
    "a token of Discord": r"\b[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27}\b",
    "a webhook of Discord": r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]+",
    "a webhook of Teams": r"\.webhook\.office\.com/webhookb2/[\w@/-]{20,}",
    "a key of Azure Storage": r"AccountKey=[A-Za-z0-9+/=]{40,}",
    "a key of SendGrid": r"\bSG\.[\w-]{16,}\.[\w-]{16,}",
    "a key of Stripe": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "a token of npm": r"\bnpm_[A-Za-z0-9]{36}|:_authToken=\s*\S{8,}",
    "a token of PyPI": r"\bpypi-AgE[\w-]{30,}",
    "a token of Telegram": r"\b\d{8,10}:[\w-]{35}(?![\w-])",
    "a key of Twilio": r"\b(?:AC|SK)(?=[a-z]*\d)[a-z0-9]{32}\b",
    "a key of Mailchimp": r"\b[0-9a-z]{32}-us\d{1,2}\b",
    "a secret of Square": r"\bsq0csp-[\w-]{43}",
    "a token of Artifactory": r"(?:^|[\s=:])AKC[A-Za-z0-9]{10,}(?:$|\s)",
    "a password of Artifactory": r"(?:^|[\s=:])AP(?=[A-Za-z]*\d)[\dA-F][A-Za-z0-9]{8,}(?:$|\s)",
    "a key of SoftLayer": r"api\.softlayer\.com/soap/v3(?:\.1)?/[a-z0-9]{64}",
    "a JSON web token": r"\beyJ[\w-]{8,}\.e(?:yJ[\w-]{8,}|30)(?:\.|$)",
}
_SHORTEST: Final = 12
_HINTS: Final = re.compile("|".join(_SHAPES.values()))
_KINDS: Final = {kind: re.compile(shape) for kind, shape in _SHAPES.items()}


@lru_cache(maxsize=4096)  # a fleet's config says the same thing often
def kind_of_secret(text: str) -> str | None:
    """Return what kind of key or token a text holds; None where it holds none of a known shape."""
    if len(text) < _SHORTEST or not _HINTS.search(text):
        return None
    return next((kind for kind, shape in _KINDS.items() if shape.search(text)), None)

"""Kinds of secrets that a gateway has, and detect-secrets does not know."""

from __future__ import annotations

import re
from typing import Final

from detect_secrets.plugins.base import RegexBasedDetector

__all__ = ["ModelKeyDetector", "PasswordAloneDetector"]

# What follows the beginning of a key: letters and figures.
_MIXED: Final = r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}"


class ModelKeyDetector(RegexBasedDetector):
    """Keys of the companies that serve models, and of LiteLLM itself."""

    secret_type = "Model Provider Key"  # noqa: S105 # the name of the kind
    denylist = (
        re.compile(rf"(?<![\w-])(?:sk-|gsk_|xai-|nvapi-|pplx-|r8_|fw_|tgp_v1_|AIza|AQ\.){_MIXED}"),
        re.compile(r"(?<![\w-])hf_(?=\w*[a-z])(?=\w*[A-Z])[A-Za-z0-9]{30,}"),  # letters may be all
    )


class PasswordAloneDetector(RegexBasedDetector):
    """A URL with a password and no user, as Redis takes it."""

    secret_type = "Password In URL"  # noqa: S105 # the name of the kind
    denylist = (re.compile(r"://:([^{}$<\s:/@]+)@"),)

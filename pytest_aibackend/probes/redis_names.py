"""How LiteLLM names its keys in Redis, and how a namespace is joined to them.

Read in litellm 1.106: a namespace and a key are joined with a colon unless the key begins so already
(caching/redis_cache.py: check_and_fix_namespace; caching/caching.py: _add_namespace_to_cache_key); a cached
answer's key is a SHA-256 in hex (caching.py: _get_hashed_cache_key); the router, the limiters and the proxy
have names of their own, listed below.
"""

from __future__ import annotations

import re

__all__ = ["NO_PREFIX", "escape_glob", "in_namespace", "is_litellm_name", "namespace_pattern", "prefix_of"]

NO_PREFIX = "(no prefix)"

# types/router.py: RouterCacheEnum; router_utils/cooldown_*.py; router_strategy/*.py; proxy/hooks/*.py;
# proxy/auth and proxy/db. Only names that are unlikely to be anybody else's.
_OWN_NAMES = re.compile(
    rb"(?:[0-9a-f]{64}"
    rb"|global_router:.+:(?:tpm|rpm|itpm|otpm):.+"
    rb"|deployment:.+:(?:cooldown|allowed_fails|prompt_caching)"
    rb"|(?:provider|deployment|tag)_(?:spend|budget_start_time):.+"
    rb"|provider_budget_start_time:.+"
    rb"|\{(?:api_key|user|team|team_member|end_user|model_per_key|model_per_team|organization|project"
    rb"|session_iterations|session_budget)[^}]*\}:.+"
    rb"|(?:spend|spend_db_floor):(?:key|user|team|team_member|org|tag|end_user):.+"
    rb"|(?:batch_enqueued_tokens|batch_enqueued_token_reservation|cronjob_lock|litellm_[a-z_]+):?.*"
    rb"|litellm:[^:]+:[^:]*completion)",
    re.DOTALL,
)


def in_namespace(key: bytes, namespace: str) -> bool:
    """Tell whether LiteLLM would take the key for one of this namespace; `a` does not hold `ab:x`."""
    return key.startswith(f"{namespace}:".encode())


def is_litellm_name(key: bytes) -> bool:
    """Tell whether a key without a namespace is named as LiteLLM names its own."""
    return _OWN_NAMES.fullmatch(key) is not None


def escape_glob(text: str) -> str:
    """Return the text as a Redis pattern that matches only itself."""
    return re.sub(r"([*?\[\]^\\-])", r"\\\1", text)


def namespace_pattern(namespace: str) -> str:
    """Return the SCAN pattern of a namespace. Raises ValueError for an empty one: it would mean all keys."""
    if not namespace or not namespace.strip():
        raise ValueError("an empty namespace would mean every key of the server")
    return f"{escape_glob(namespace)}:*"


def prefix_of(key: bytes) -> str:
    """Return a key's kind, everything up to and with its first colon, fit to be shown."""
    head, colon, _ = key.partition(b":")
    if not colon:
        return NO_PREFIX
    return head[:80].decode("utf-8", "replace") + ":"

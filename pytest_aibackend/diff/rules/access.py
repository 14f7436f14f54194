"""Access: who can reach the gateway, and with which key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, Said
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.settings import Owned, own, owned_by
from pytest_aibackend.diff.wording import MISSING, from_to, shown
from pytest_aibackend.sources.addresses import Address, address_of, shown_url

__all__ = ["access_setting_changed", "bind_address_changed", "gateway_address_changed", "master_key_changed"]

_MASTER_KEY: Final = own(Owned("general_settings", "master_key"))
_ACCESS: Final = own(
    Owned(
        "general_settings",
        """dangerously_permit_weak_or_unset_master_key allow_client_side_credentials allow_user_auth
        allowed_ips allowed_routes admin_only_routes public_routes custom_auth custom_auth_settings
        custom_sso custom_key_generate enable_jwt_auth enable_oauth2_auth
        enable_oauth2_proxy_auth litellm_jwtauth litellm_key_header_name
        enforce_rbac role_permissions pass_through_endpoints use_x_forwarded_for trusted_proxy_ranges
        allow_requests_on_db_unavailable forward_client_headers_to_llm_api user_header_name database_url
        enable_public_model_hub disable_custom_api_keys infer_model_from_keys key_management_system
        ui_access_mode
        dangerously_allow_mock_testing_request_params user_url_validation user_url_allowed_hosts
        disable_env_credential_login disable_responses_id_security allow_public_health_readiness_details""",
    ),
    Owned(
        "litellm_settings",
        """require_auth_for_metrics_endpoint public_model_groups user_url_validation user_url_allowed_hosts
        forward_llm_provider_auth_headers proxy_auth provider_url_destination_allowed_hosts guardrails
        prompt_injection_params banned_keywords_list blocked_user_list public_mcp_servers""",
    ),
    Owned("guardrails"),
    Owned("mcp_servers"),
    Owned("credential_list"),
)
# Who could ask may be refused by these, or no longer find what they asked for.
_REFUSING: Final = (
    *("allowed_ips", "allowed_routes", "admin_only_routes", "custom_auth", "enable_jwt_auth"),
    *("enable_oauth2_auth", "enforce_rbac", "enable_oauth2_proxy_auth", "litellm_key_header_name"),
    *("role_permissions", "disable_custom_api_keys"),
)
_ANSWERING: Final = ("pass_through_endpoints",)  # what one more of these adds was answered by nobody
_ANY: Final = ("0.0.0.0", "::")  # noqa: S104 # compared, never bound


@change_rule("master-key-changed", classes=(ChangeClass.BREAKING, ChangeClass.SECURITY))
def master_key_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The gateway takes its master key from elsewhere, or has none any more.

    Clients that hold the old key are refused. Without a key in the file LiteLLM takes `LITELLM_MASTER_KEY`,
    and does not start where that is missing, too.
    """
    for place, before, after in owned_by(old, new, _MASTER_KEY):
        yield Said(
            subject="master_key",
            message=from_to(place, before, after),
            notice="Requests with the old key are refused, unless both hold the same."
            if after is not MISSING
            else "Requests are refused, unless LITELLM_MASTER_KEY holds the same key.",
        )


@change_rule("bind-address-changed", classes=(ChangeClass.SECURITY, ChangeClass.BREAKING))
def bind_address_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The gateway is reached at another host, perhaps by others than before.

    `aibackend serve` listens on the address in `deploy.url`: 0.0.0.0, or that of a network card, lets other
    machines ask; who could ask before does not notice, and the change is no breaking one. On this machine
    alone, nobody else can.
    """
    before, after = _gateway(old), _gateway(new)
    if before and after and _host(before) != _host(after):
        reach = "this machine alone" if _is_this_machine(after) else "other machines, too"
        is_wider = after.host in _ANY
        yield Said(
            subject="deploy.url",
            message=f"the gateway was at {before.host}, is at {after.host}: reached from {reach}",
            notice="Nothing, for those who asked before."
            if is_wider
            else f"The gateway is asked at {after.host}, from {reach}.",
            classes=(ChangeClass.SECURITY,) if is_wider else None,
        )


@change_rule("gateway-address-changed", classes=(ChangeClass.BREAKING,))
def gateway_address_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The gateway is reached at another port, path or scheme.

    Every client has it written down.
    """
    before, after = _gateway(old), _gateway(new)
    if before is None or after is None:
        if _url(old) != _url(new) and None not in (_url(old), _url(new)):
            yield _moved(old, new)
        return
    parts = [(found.scheme, found.port, found.path) for found in (before, after)]
    if parts[0] != parts[1]:
        yield _moved(old, new)


@change_rule("access-setting-changed", classes=(ChangeClass.SECURITY,))
def access_setting_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A setting that decides who may ask what is another.

    Ways to log in, routes without a key, allowed addresses, pass-through endpoints, guardrails. Where it may
    refuse requests that were answered, the change is breaking, too.
    """
    for place, before, after in owned_by(old, new, _ACCESS):
        is_refusing = any(key in _REFUSING for key in place) or (
            place[-1] in _ANSWERING and before is not MISSING
        )
        yield Said(
            subject=place[-1] if len(place) < 3 else ".".join(place[:2]),
            message=from_to(place, before, after),
            notice="Requests may be let in, refused or looked at differently."
            if after is not MISSING
            else f"What {shown((), '.'.join(place))} said no longer holds.",
            classes=(ChangeClass.BREAKING, ChangeClass.SECURITY) if is_refusing else None,
        )


def _moved(old: Meaning, new: Meaning) -> Said:
    return Said(
        subject="deploy.url",
        message=f"the gateway was at {shown_url(_url(old) or '')}, is at {shown_url(_url(new) or '')}",
        notice="Clients that use the old address do not reach the gateway.",
    )


def _url(meaning: Meaning) -> str | None:
    return meaning.sources.deploy.url.rstrip("/") if meaning.sources else None


def _gateway(meaning: Meaning) -> Address | None:
    return address_of(_url(meaning) or "")


def _is_this_machine(address: Address) -> bool:
    return address.is_loopback and address.host not in _ANY


def _host(address: Address) -> str:
    return "127.0.0.1" if _is_this_machine(address) else address.host

"""Check 8, gateway-health: the gateway lives, is ready, serves what its file says, and refuses wrong keys."""

import pytest

pytestmark = [pytest.mark.aibackend(8), pytest.mark.critical, pytest.mark.live]


def test_gateway_endpoint(endpoint, assert_clean):
    """Liveness, readiness, the list of models and the key are as they should be."""
    assert_clean(endpoint)


def test_gateway_model_group(model_group, assert_clean):
    """Every worker serves the model group, and none serves one that the file does not name."""
    assert_clean(model_group)

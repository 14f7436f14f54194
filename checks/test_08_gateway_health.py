"""Check 8, gateway-health: the gateway lives, is ready, serves what its file says, and refuses wrong keys."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(8), pytest.mark.critical, pytest.mark.live]


def test_gateway_endpoint(endpoint: Subjects, assert_clean: AssertClean) -> None:
    """Liveness, readiness, the list of models, the key and the workers are as they should be."""
    assert_clean(endpoint)


def test_gateway_model_group(model_group: Subjects, assert_clean: AssertClean) -> None:
    """Every worker serves the model group, and none serves one that the file does not name."""
    assert_clean(model_group)

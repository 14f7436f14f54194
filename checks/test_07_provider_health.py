"""Check 7, provider-health: every active provider is up, is what it should be, and has its models.

Nothing here makes a provider run a model. An optional provider that is down warns.
"""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(7), pytest.mark.live]


def test_provider_health(provider: Subjects, assert_clean: AssertClean) -> None:
    """The provider answers in time and as its own protocol does."""
    assert_clean(provider)


def test_provider_model(model: Subjects, assert_clean: AssertClean) -> None:
    """The provider lists the model."""
    assert_clean(model)

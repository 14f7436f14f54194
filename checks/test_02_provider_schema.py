"""Check 2, provider-schema: every provider has the keys it needs, of the right types, none misspelt."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(2), pytest.mark.critical]


def test_provider_schema(provider: Subjects, assert_clean: AssertClean) -> None:
    """The provider's entry is complete and well-formed."""
    assert_clean(provider)

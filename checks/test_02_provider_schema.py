"""Check 2, provider-schema: every provider has the keys it needs, of the right types, and no misspelt ones."""

import pytest

pytestmark = [pytest.mark.aibackend(2), pytest.mark.critical]


def test_provider_schema(provider, assert_clean):
    """The provider's entry is complete and well-formed."""
    assert_clean(provider)

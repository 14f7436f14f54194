"""Check 4, ports-schema: every service has a port it can have, in its range, and depends on services that exist."""

import pytest

pytestmark = [pytest.mark.aibackend(4), pytest.mark.critical]


def test_port_schema(service, assert_clean):
    """The service's entry is complete and well-formed."""
    assert_clean(service)

"""Check 4, ports-schema: every service has a port in its range, and depends on services that exist."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(4), pytest.mark.critical]


def test_port_schema(service: Subjects, assert_clean: AssertClean) -> None:
    """The service's entry is complete and well-formed."""
    assert_clean(service)

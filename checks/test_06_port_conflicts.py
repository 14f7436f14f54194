"""Check 6, port-conflicts: no two services claim one port, and the right one listens on it."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(6), pytest.mark.critical]


def test_port_conflict(port: Subjects, assert_clean: AssertClean) -> None:
    """The port belongs to one service, reserved ones included."""
    assert_clean(port)


def test_provider_address(address: Subjects, assert_clean: AssertClean) -> None:
    """The address belongs to one provider."""
    assert_clean(address)


@pytest.mark.live
def test_port_listener(service: Subjects, assert_clean: AssertClean) -> None:
    """A required service listens, nobody else does, and not on all interfaces where loopback is meant."""
    assert_clean(service)

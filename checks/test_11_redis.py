"""Check 11, redis: the cache server is up, lets the gateway in, and keeps its keys in a namespace."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(11), pytest.mark.critical, pytest.mark.live]


def test_redis_endpoint(redis: Subjects, assert_clean: AssertClean) -> None:
    """The server is reachable, authenticated, not loading, and will not drop data."""
    assert_clean(redis)


def test_redis_namespace(namespace: Subjects, assert_clean: AssertClean) -> None:
    """A namespace is set, and a key inside it can be written, read, expired and removed."""
    assert_clean(namespace)

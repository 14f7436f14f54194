"""Check 11, redis: the cache server is up, lets the gateway in, and keeps its keys in a namespace."""

import pytest

pytestmark = [pytest.mark.aibackend(11), pytest.mark.critical, pytest.mark.live]


def test_redis_endpoint(redis, assert_clean):
    """The server is reachable, authenticated, not loading, and will not drop data."""
    assert_clean(redis)


def test_redis_namespace(namespace, assert_clean):
    """A namespace is set, and a key inside it can be written, read, expired and removed."""
    assert_clean(namespace)

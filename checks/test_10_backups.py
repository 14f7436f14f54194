"""Check 10, backups: every backup can be restored, and as many are kept as were promised."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(10)]


def test_backup(backup: Subjects, assert_clean: AssertClean) -> None:
    """The backup is readable, whole, YAML, and would give the gateway something to serve."""
    assert_clean(backup)


def test_retention(backup_directory: Subjects, assert_clean: AssertClean) -> None:
    """There are backups, and no more than the retention keeps."""
    assert_clean(backup_directory)

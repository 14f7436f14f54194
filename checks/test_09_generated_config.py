"""Check 9, generated-config: the gateway's file is ours, untouched, and what the sources give."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(9), pytest.mark.critical]


def test_generated_config(generated_file: Subjects, assert_clean: AssertClean) -> None:
    """The file exists, bears our marker, was not edited, and is not older than its sources."""
    assert_clean(generated_file)

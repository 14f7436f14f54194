"""For tests of several files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.browser import Page, browser, find_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    """A tab of a headless Chromium."""
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium or Chrome on PATH")
    with browser(program) as page:
        yield page

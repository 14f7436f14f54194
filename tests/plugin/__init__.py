"""Tests of the plugin, each with and without xdist. A package, because tests/stack has a conftest, too."""

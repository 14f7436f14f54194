"""For all tests of the package; the validator's own run does not load it."""

# Only an outermost conftest of the run may name plugins, so this does not stand in plugin/.
pytest_plugins = ["pytester"]

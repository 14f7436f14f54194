"""The rules, one module per check. Importing this package registers them all."""

from pytest_aibackend.rules import yaml_syntax as _yaml_syntax  # noqa: F401

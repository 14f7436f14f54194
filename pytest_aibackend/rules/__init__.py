"""The rules, one module per check. Importing this package registers them all."""

from pytest_aibackend.rules import backups as _backups  # noqa: F401
from pytest_aibackend.rules import gateway_health as _gateway_health  # noqa: F401
from pytest_aibackend.rules import port_listeners as _port_listeners  # noqa: F401
from pytest_aibackend.rules import provider_health as _provider_health  # noqa: F401
from pytest_aibackend.rules import redis as _redis  # noqa: F401
from pytest_aibackend.rules import yaml_syntax as _yaml_syntax  # noqa: F401

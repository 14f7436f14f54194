"""The rules, one module per check. Importing this package registers them all."""

from pytest_aibackend.rules import backups as _backups  # noqa: F401
from pytest_aibackend.rules import chains as _chains  # noqa: F401
from pytest_aibackend.rules import gateway_address as _gateway_address  # noqa: F401
from pytest_aibackend.rules import gateway_file as _gateway_file  # noqa: F401
from pytest_aibackend.rules import gateway_health as _gateway_health  # noqa: F401
from pytest_aibackend.rules import gateway_models as _gateway_models  # noqa: F401
from pytest_aibackend.rules import gateway_serving as _gateway_serving  # noqa: F401
from pytest_aibackend.rules import generated_config as _generated_config  # noqa: F401
from pytest_aibackend.rules import health_commands as _health_commands  # noqa: F401
from pytest_aibackend.rules import mappings_schema as _mappings_schema  # noqa: F401
from pytest_aibackend.rules import model_references as _model_references  # noqa: F401
from pytest_aibackend.rules import pattern_models as _pattern_models  # noqa: F401
from pytest_aibackend.rules import port_conflicts as _port_conflicts  # noqa: F401
from pytest_aibackend.rules import port_listeners as _port_listeners  # noqa: F401
from pytest_aibackend.rules import ports_schema as _ports_schema  # noqa: F401
from pytest_aibackend.rules import provider_endpoints as _provider_endpoints  # noqa: F401
from pytest_aibackend.rules import provider_health as _provider_health  # noqa: F401
from pytest_aibackend.rules import provider_keys as _provider_keys  # noqa: F401
from pytest_aibackend.rules import provider_ports as _provider_ports  # noqa: F401
from pytest_aibackend.rules import provider_schema as _provider_schema  # noqa: F401
from pytest_aibackend.rules import redis as _redis  # noqa: F401
from pytest_aibackend.rules import redis_namespace as _redis_namespace  # noqa: F401
from pytest_aibackend.rules import references as _references  # noqa: F401
from pytest_aibackend.rules import translation as _translation  # noqa: F401
from pytest_aibackend.rules import urls as _urls  # noqa: F401
from pytest_aibackend.rules import yaml_syntax as _yaml_syntax  # noqa: F401

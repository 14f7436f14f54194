"""Whatever is imported means the same afterwards, and no secret of it is anywhere."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings

from pytest_aibackend.importer.secrets import move_secrets
from pytest_aibackend.importer.translate import translate
from pytest_aibackend.importer.verify import try_out
from tests.fakes.litellm_configs import SECRETS, configs


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


@given(configs)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_an_imported_configuration_means_the_same(config: dict[str, Any]) -> None:
    before = copy.deepcopy(config)
    imported = translate(config)
    assert config == before
    trial = try_out(imported, "config.yaml")
    assert [str(error) for error in trial.errors] == []
    assert trial.differences == ()
    text = "".join(trial.texts.values())
    assert not [secret for secret in SECRETS if secret in text]
    assert translate(config).texts("config.yaml") == imported.texts("config.yaml")


@given(configs)
def test_each_secret_has_one_variable_and_each_variable_one_secret(config: dict[str, Any]) -> None:
    moved, moves = move_secrets(config)
    values: dict[str, Any] = {}
    for move in moves:
        value = at(config, move.path)
        assert at(moved, move.path) == f"os.environ/{move.variable}"
        assert values.setdefault(move.variable, value) == value
        at(moved, move.path[:-1])[move.path[-1]] = value
    assert moved == config
    assert len(set(values.values())) == len(values)

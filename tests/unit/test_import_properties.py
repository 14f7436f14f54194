"""Whatever is imported means the same afterwards, and no secret of it is anywhere."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_aibackend.importer.command import import_config
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


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers() | st.booleans() | st.none(), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(configs, st.data())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_anything_is_imported_or_refused(tmp_path: Path, config: dict[str, Any], data: st.DataObject) -> None:
    """Replace some part with anything at all: what comes out means the same, or nothing comes out."""
    changed = copy.deepcopy(config)
    holder, path = changed, data.draw(st.sampled_from(sorted(parts(config), key=repr)))
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(odd)
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        file, output = Path(folder, "config.yaml"), Path(folder, "sources")
        file.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
        status = import_config(file, output, as_json=True)
        assert status in (0, 1)
        assert (status == 0) == output.exists()


def parts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from parts(item, (*path, key))

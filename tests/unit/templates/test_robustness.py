"""Whatever stands in a template: it is read, or refused with TEMPLATE_INVALID; nothing else is ever raised."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.templates.folder import FolderTemplates
from orchestrator_svc.domain.template.expansion import complete, expand
from orchestrator_svc.domain.template.reading import read_template
from shared.kernel.errors import InvalidError
from tests.unit.templates.test_reading import WHOLE

NAMES = ["$from", "$literal", "$param", "$ref", "path", "default", "key", "when", "type", "properties", "required", "a"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in children:
        yield from places(item, (*path, name))


PLACES = list(places(WHOLE))


def with_value_at(path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    data: Any = copy.deepcopy(WHOLE)
    node = data
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    return data


def hold(read: Callable[[], object]) -> None:
    """Read, or refused as it should be."""
    refusal = None
    try:
        read()
    except InvalidError as error:
        refusal = error
    assert refusal is None or (refusal.reason == "TEMPLATE_INVALID" and refusal.violations)


def parse(text: str) -> object:
    return FolderTemplates([], JsonSchemaRsCompiler()).parse(text)


@given(st.sampled_from(PLACES), JSON)
def test_any_value_anywhere(path: tuple[Any, ...], value: Any):
    def read() -> object:
        template = read_template(with_value_at(path, value), "")
        return expand(template, complete(template, {"who": "ann", "maybe": 1}), 1_000)

    hold(read)


@given(st.sampled_from(PLACES), JSON)
def test_any_text(path: tuple[Any, ...], value: Any):
    hold(lambda: parse(yaml.safe_dump(with_value_at(path, value), allow_unicode=True)))


@given(st.text(alphabet="ab:-[]{},&*!|>'\"%#?@` \n\t0.", max_size=60))
def test_any_yaml(text: str):
    hold(lambda: parse(text))

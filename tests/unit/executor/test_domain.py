import hashlib

import pytest

from executor_svc.api.pages import page
from executor_svc.domain.call import Call, Origin
from executor_svc.domain.digest import Digester
from executor_svc.domain.text import clean, describe
from executor_svc.domain.tool import version_order
from shared.kernel.errors import InvalidError


def test_versions_sort_by_number_above_words():
    versions = ["1.10", "beta", "1.9", "2", "1.9.1", "alpha", "10"]
    assert sorted(versions, key=version_order) == ["alpha", "beta", "1.9", "1.9.1", "1.10", "2", "10"]


@pytest.mark.parametrize("arguments", ["", "{}", '{"text":"ü\U0001f600"}'])
def test_a_digest_is_over_tool_version_and_arguments(arguments: str):
    expected = hashlib.sha256(b"greenlight.call.v1\nnote\n1.2\n" + arguments.encode()).hexdigest()
    digester = Digester("note", "1.2")
    assert digester(arguments) == digester(arguments) == f"sha256:{expected}"


def test_the_proposal_is_in_the_calls_id():
    origin = Origin("t", "p", "s", "", "b", {}, b"")
    ids = {"batch/key/3": "batch/key", "odd": "odd"}
    for call_id, proposal_id in ids.items():
        assert Call(call_id, origin, "t", "1", "{}", "", "", 3, "", None, b"").proposal_id == proposal_id


def test_text_is_cut_and_sayable():
    assert clean("short", 10) == "short"
    assert clean("x" * 11, 10) == "xxxxxxx..."
    assert clean("a\ud800b", 10) == "a?b"
    assert describe(ValueError(), 100) == "ValueError"
    assert describe(ValueError("x"), 100) == "ValueError: x"


def test_pages():
    items = list(range(250))
    first, token = page(items, 0, "")
    second, token = page(items, 100, token)
    third, last = page(items, 1, token)
    rest, none = page(items, 5000, last)
    assert [*first, *second, *third, *rest] == items
    assert (len(first), len(third), none) == (100, 1, "")


@pytest.mark.parametrize("token", ["x", "djE6LTE=", "djE6", "djI6MQ==", "ü", "djE6MQ== "])
def test_tokens_that_were_never_given_out(token: str):
    with pytest.raises(InvalidError, match="PAGE_TOKEN_INVALID"):
        page([1, 2, 3], 1, token)

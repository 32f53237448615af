"""The ceiling that every ratio is measured against stays what it was: byte for byte."""

import hashlib
from pathlib import Path

import pytest

CEILING = Path(__file__).resolve().parents[2] / "bench" / "ceiling"


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("ex.py", "823fd91a72345fdb780632c6235702a372ea25b0e704994374a68d7899150bb7"),
        ("o.proto", "8ef2cadb1d087c5236c87c0faf375af6834b7029fb9307d7489c9444ce2982df"),
        ("orch.py", "d056487aafd42b48165b9a746829de290b67e8fe16100742527cf04d71555382"),
    ],
)
def test_the_ceiling_is_untouched(name: str, digest: str):
    assert hashlib.sha256((CEILING / name).read_bytes()).hexdigest() == digest

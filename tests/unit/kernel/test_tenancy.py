import pytest

from shared.kernel.errors import ErrorKind, InvalidError
from shared.kernel.tenancy import ANONYMOUS, DEFAULT_TENANT, Principal, Tenant


def test_absent_values_have_defaults():
    assert Tenant.parse(None) == DEFAULT_TENANT == Tenant("default")
    assert Principal.parse(None) == ANONYMOUS == Principal("user", "anonymous")


@pytest.mark.parametrize("value", ["a", "acme", "a.b_c-9", "x" * 64, b"acme"])
def test_a_tenant_within_the_alphabet_is_kept(value: str | bytes):
    assert str(Tenant.parse(value)) == (value if isinstance(value, str) else value.decode())


@pytest.mark.parametrize("value", ["", "A", "a b", "a/b", "x" * 65, "ä", b"\xff", "a\n", "a\x00"])
def test_any_other_tenant_is_refused_with_its_field(value: str | bytes):
    with pytest.raises(InvalidError) as raised:
        Tenant.parse(value)
    assert (raised.value.reason, raised.value.kind) == ("METADATA_INVALID", ErrorKind.INVALID)
    assert [v.field for v in raised.value.violations] == ["greenlight-tenant"]


@pytest.mark.parametrize("value", ["user:ann", "service:billing", "operator:a:b", "user:" + "x" * 251])
def test_a_principal_is_kind_and_name(value: str):
    principal = Principal.parse(value)
    assert str(principal) == value
    assert principal.kind == value.split(":")[0]


@pytest.mark.parametrize("value", ["", "ann", ":ann", "user:", "User:ann", "user:a b", "user:ä", "user:" + "x" * 252])
def test_any_other_principal_is_refused(value: str):
    with pytest.raises(InvalidError, match="METADATA_INVALID"):
        Principal.parse(value)

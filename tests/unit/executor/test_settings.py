from pathlib import Path

import pytest
from pydantic import ValidationError

from executor_svc.__main__ import main
from executor_svc.settings import Settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch):
    import os

    for name in list(os.environ):
        if name.startswith(("GREENLIGHT_", "OTEL_")):
            monkeypatch.delenv(name)


def test_defaults():
    settings = Settings()
    assert (settings.listen, settings.toolbox, settings.reload) == ("127.0.0.1:50052", [], False)
    assert (settings.drain_grace, settings.unsafe_call_tool, settings.otlp_endpoint) == (30, False, "")


def test_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GREENLIGHT_EXECUTOR_TOOLBOX", "a.b, tools/c.py")
    monkeypatch.setenv("GREENLIGHT_EXECUTOR_SLOTS", "7")
    monkeypatch.setenv("GREENLIGHT_EXECUTOR_LOG_LEVEL", "debug")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    settings = Settings()
    assert settings.toolbox == ["a.b", "tools/c.py"]
    assert (settings.slots, settings.log_level) == (7, "DEBUG")
    assert settings.otlp_endpoint == "http://127.0.0.1:4317"
    assert Settings(slots=9).slots == 9
    assert Settings(toolbox=["a.b,c", "tools/d.py"]).toolbox == ["a.b", "c", "tools/d.py"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("slots", 0), ("threads", -1), ("stop_grace", 0), ("drain_grace", -1), ("log_level", "loud"), ("slots", "many")],
)
def test_values_that_cannot_be(name: str, value: object):
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "no tools"), (["--toolbox", "x", "--slots", "0"], "slots"), (["--nonsense"], "--nonsense")],
)
def test_a_command_line_that_cannot_be(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert said in capsys.readouterr().err


def test_a_toolbox_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    where = ["--listen", "127.0.0.1:0", "--data", str(tmp_path)]
    assert main([*where, "--toolbox", "no_such_module_anywhere"]) == 1
    assert "no_such_module_anywhere: there is no such module" in capsys.readouterr().err

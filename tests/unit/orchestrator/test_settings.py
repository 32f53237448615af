"""What is wrong with the settings is said in one line, before anything is opened."""

from pathlib import Path

import pytest

from orchestrator_svc.__main__ import main


def test_an_executor_without_a_port_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--executors", "executor"])
    assert ended.value.code == 2
    assert "'executor' is not an address: expected HOST:PORT" in capsys.readouterr().err


@pytest.mark.parametrize("listen", ["nohost", "127.0.0.1:99999", ""])
def test_an_address_that_is_none_is_refused_before_a_database_is_made(
    listen: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = tmp_path / "data"
    with pytest.raises(SystemExit) as ended:
        main(["--listen", listen, "--data", str(data)])
    assert ended.value.code == 2
    assert f"listen: Value error, {listen!r}: an address is HOST:PORT" in capsys.readouterr().err
    assert not data.exists()


def test_a_data_folder_that_cannot_be_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "file"
    file.touch()
    assert main(["--listen", "127.0.0.1:0", "--data", str(file)]) == 1
    assert (
        capsys.readouterr().err
        == f"orchestrator: STORE_UNAVAILABLE: no data folder can be had at {file}: File exists\n"
    )

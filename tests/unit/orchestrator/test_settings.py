"""What is wrong with the settings is said in one line, before anything is opened."""

from pathlib import Path

import pytest

from orchestrator_svc.__main__ import main


def test_an_executor_without_a_port_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--executors", "executor"])
    assert ended.value.code == 2
    assert "'executor' is not an address: expected HOST:PORT" in capsys.readouterr().err


def test_a_data_folder_that_cannot_be_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "file"
    file.touch()
    assert main(["--listen", "127.0.0.1:0", "--data", str(file)]) == 1
    assert (
        capsys.readouterr().err
        == f"orchestrator: STORE_UNAVAILABLE: no data folder can be had at {file}: File exists\n"
    )

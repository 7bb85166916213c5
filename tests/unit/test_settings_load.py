"""What an administrator sets is what the program gets, or it does not start."""

from pathlib import Path

import pytest

from adapter.data import data_folder
from adapter.errors import ConfigurationError
from adapter.settings import Address, load_settings


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTER_HTTP", "0.0.0.0:80")
    monkeypatch.setenv("ADAPTER_MLLP", "0.0.0.0:2575")
    settings = load_settings(http="127.0.0.1:0", mllp=None)
    assert settings.http == Address("127.0.0.1", 0)
    assert settings.mllp == Address("0.0.0.0", 2575)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTER_OPERATOR_TOKEN", "")
    monkeypatch.setenv("ADAPTER_MAX_CONNECTIONS", "")
    settings = load_settings()
    assert settings.operator_token is None
    assert settings.max_connections == 256


def test_the_database_is_sqlite_in_the_data_folder_until_another_is_named(tmp_path: Path) -> None:
    assert load_settings(data=tmp_path).database == f"sqlite:///{tmp_path}/adapter.db"
    url = "postgresql+psycopg://adapter@db/adapter"
    assert load_settings(data=tmp_path, database_url=url).database == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADAPTER_MLLP", "2575"),
        ("ADAPTER_MLLP", ":2575"),
        ("ADAPTER_HTTP", "localhost:http"),
        ("ADAPTER_HTTP", "localhost:65536"),
        ("ADAPTER_MAX_MESSAGE_BYTES", "0"),
        ("ADAPTER_STALL_SECONDS", "-1"),
        ("ADAPTER_WORKER_PROCESSES", "many"),
        ("ADAPTER_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_value_that_is_not_understood_stops_the_start_and_names_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings()


def test_a_misspelt_variable_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTER_READ_TOKN", "not-shown")
    with pytest.raises(ConfigurationError, match="ADAPTER_READ_TOKN") as refusal:
        load_settings()
    assert "not-shown" not in str(refusal.value)


def test_secrets_are_not_shown_when_settings_are_printed() -> None:
    settings = load_settings(
        operator_token="token-of-a-test", database_url="postgresql+psycopg://a:password-of-a-test@db/a"
    )
    assert "of-a-test" not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    ("text", "loopback"), [("127.0.0.1:1", True), ("[::1]:1", True), ("0.0.0.0:1", False), ("[::]:1", False)]
)
def test_an_address_knows_whether_others_can_reach_it(text: str, loopback: bool) -> None:
    address = Address.parse(text)
    assert address.is_loopback is loopback
    assert str(address) == text


def test_the_data_folders_are_found() -> None:
    assert (data_folder("mappings") / "messages").is_dir()
    assert data_folder("profiles").is_dir()
    with pytest.raises(ConfigurationError, match="no-such-folder"):
        data_folder("no-such-folder")

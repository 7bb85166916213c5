"""The settings: one line each, read once from ADAPTER_* and then frozen. docs/settings.md has a heading for each."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adapter import failpoints
from adapter.errors import ConfigurationError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written: `127.0.0.1:2575`, `[::1]:2575`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True where only programs of this machine can connect."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    @classmethod
    def parse(cls, text: "str | Address") -> "Address":
        """Read `HOST:PORT` or `[HOST]:PORT`.

        Raises:
            ValueError: there is no host, or no port between 0 and 65535.
        """
        if isinstance(text, Address):
            return text
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (colon and host and port.isascii() and port.isdecimal() and int(port) <= 65535):
            raise ValueError("an address is written HOST:PORT")
        return cls(host, int(port))


def _base(text: str) -> str:
    """A canonical base as it is written in URLs.

    Raises:
        ValueError: it is no http URL.
    """
    if not re.fullmatch(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~-]+)*/?", text):
        raise ValueError("a canonical base is an http URL without a query")
    return text.rstrip("/")


Listen = Annotated[Address, NoDecode, BeforeValidator(Address.parse)]


class Settings(BaseSettings):
    """What an administrator may choose. A value comes from the command line, else the environment, else from here."""

    model_config = SettingsConfigDict(env_prefix="ADAPTER_", frozen=True, extra="forbid", env_ignore_empty=True)

    data: Path = Path("adapter-data")
    database_url: str = Field(default="", repr=False)
    mllp: Listen = Address("127.0.0.1", 2575)
    http: Listen = Address("127.0.0.1", 8080)
    listeners: Path | None = None
    operator_token: SecretStr | None = None
    max_message_bytes: PositiveInt = 64 * 1024 * 1024
    max_connections: PositiveInt = 256
    stall_seconds: PositiveFloat = 30.0
    worker_processes: NonNegativeInt = 1
    canonical_base: Annotated[str, AfterValidator(_base)] = "https://fhir.tli-trial.example.org"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def database(self) -> str:
        """The database's URL: the one that was set, else SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data / 'adapter.db'}"


def load_settings(**chosen: object) -> Settings:
    """Read the settings.

    Args:
        chosen: what the command line says, by name; None means that it says nothing.

    Raises:
        ConfigurationError: a value is not understood, or a variable is misspelt; the text never shows a value.
    """
    known = {failpoints.VARIABLE, *map(variable, Settings.model_fields)}
    if misspelt := sorted(name for name in os.environ if name.startswith("ADAPTER_") and name not in known):
        raise ConfigurationError(f"no such setting: {', '.join(misspelt)}")
    given = {name: value for name, value in chosen.items() if value is not None}
    try:
        return Settings(**given)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        wrong = (f"{variable(str(e['loc'][0]) if e['loc'] else '')}: {e['msg']}" for e in error.errors())
        raise ConfigurationError("; ".join(wrong)) from None


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"ADAPTER_{name.upper()}"

"""Many rows of one table in one call of the driver."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from adapter.fhir.json import dumps
from adapter.store.database import marks, run, run_many


@dataclass(frozen=True)
class Bulk:
    """A table's name, and its columns in the order in which rows give them, with their types in PostgreSQL."""

    table: str
    columns: Mapping[str, str]

    def insert(self, connection: Connection, values: Sequence[tuple[Any, ...]]) -> int:
        """Write rows; what is there already stays as it is.

        Returns:
            How many were not there.
        """
        if not values or connection.dialect.name == "sqlite":
            return run_many(connection, self._insert_each, values)
        # All rows in one value: neither a statement for each, nor the driver's slow arrays.
        binary = [place for place, kind in enumerate(self.columns.values()) if kind == "bytea"]
        return run(connection, self._insert_all, [dumps(_with_hex(values, binary)).decode()])

    def delete(self, connection: Connection, values: Sequence[tuple[Any, ...]]) -> None:
        """Remove rows, known by all their columns."""
        run_many(connection, self._delete_each, values)

    @cached_property
    def _insert_each(self) -> str:
        return f"{self._into} VALUES ({marks([*self.columns])}) ON CONFLICT DO NOTHING"

    @cached_property
    def _insert_all(self) -> str:
        read = [
            f"decode(r->>{place}, 'hex')" if kind == "bytea" else f"(r->>{place})::{kind}"
            for place, kind in enumerate(self.columns.values())
        ]
        return f"{self._into} SELECT {','.join(read)} FROM jsonb_array_elements(?::jsonb) AS r ON CONFLICT DO NOTHING"

    @cached_property
    def _delete_each(self) -> str:
        return f"DELETE FROM {self.table} WHERE {' AND '.join(f'{column} = ?' for column in self.columns)}"

    @property
    def _into(self) -> str:
        return f"INSERT INTO {self.table} ({','.join(self.columns)})"


def _with_hex(values: Sequence[tuple[Any, ...]], places: Sequence[int]) -> Sequence[Sequence[Any]]:
    """The rows with bytes written as JSON can hold them."""
    if not places:
        return values
    return [[value.hex() if place in places else value for place, value in enumerate(row)] for row in values]


def parts(values: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Lists of at most `size` of these values."""
    every = list(values)
    return (every[start : start + size] for start in range(0, len(every), size))

"""The mappings by which messages are converted again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.convert import Converted
from adapter.store.database import Database
from adapter.store.lanes import Claimed
from adapter.store.merge import Mapped
from adapter.store.reach import OF_NOBODY
from adapter.worker import Rules


@dataclass(frozen=True, slots=True)
class Present:
    """The core and the rules as a worker has them, and the store's own resources."""

    convert: Callable[[Claimed], Converted]
    rules: Rules
    own: Sequence[Mapped] = ()

    def define(self, database: Database, now: datetime) -> None:
        """Put the store's own resources into it; what is there already is left as it is."""
        with database.write() as connection:
            writer = self.rules.writer(connection, now)
            for mapped in self.own:
                writer.put(mapped, site=OF_NOBODY, message_id=0)
            writer.flush()

"""Alembic's entry: it runs on the connection that `upgrade` gives it, and leaves the transaction to it."""

from alembic import context

from adapter.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()

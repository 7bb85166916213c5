"""The schema's history (Alembic). The newest revision is named here, so that a start that needs none loads none."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0011"


def upgrade(connection: Connection) -> None:
    """Bring the schema to `HEAD`, in the transaction of `connection`: wholly or not at all (F35)."""
    if connection.dialect.name == "postgresql":
        # Several processes may start at once; the first migrates.
        connection.execute(text("SELECT pg_advisory_xact_lock(1212960326)"))
    if _revision(connection) == HEAD:
        return
    from alembic import command  # noqa: PLC0415  (a quarter of a second that most starts need not spend)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

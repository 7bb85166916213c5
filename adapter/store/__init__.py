"""The store: inbox, resources with their versions, search index; SQLite and PostgreSQL."""

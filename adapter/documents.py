"""Documents of messages, for whoever reads them: a hash in, the bytes out, a large document never as a whole."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapter.convert import document
from adapter.hl7v2.slim import content, stored
from adapter.mapper.catalog import Catalog
from adapter.store.database import Database
from adapter.store.documents import Source, parts, sources
from adapter.store.reach import Reach


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `media` is empty where nobody said what it is."""

    media: str
    size: int
    pieces: Iterator[bytes]


def finder(database: Database, catalog: Catalog) -> Callable[[Reach, str], Document | None]:
    """What finds a document that a resource names by `Binary/<SHA-256 in hex>`."""

    def find(reach: Reach, sha256: str) -> Document | None:
        with database.read() as connection:
            for source in sources(connection, reach, f"Binary/{sha256}"):
                if found := _in(source, sha256):
                    return found
        return None

    def _in(source: Source, sha256: str) -> Document | None:
        media = source.media
        if source.large:
            for cut in stored(source.raw).documents:
                if cut.document.sha256 == sha256:
                    pieces = content(parts(database, source.message_id), cut)
                    return Document(media, cut.document.size, pieces)
            return None
        data = document(source.raw, sha256, site=catalog.sites[source.site])
        return Document(media, len(data), iter((data,))) if data is not None else None

    return find

"""Whose dialect a message is read in, for commands that convert files."""

from adapter.errors import ConfigurationError
from adapter.hl7v2.parse import header
from adapter.mapper.catalog import Catalog
from adapter.mapper.sites import Site


def named(catalog: Catalog, code: str) -> Site:
    """The site of this code, or of this folder.

    Raises:
        ConfigurationError: there is none.
    """
    for site in (*catalog.sites, catalog.standard):
        if code.upper() in {site.code.upper(), site.folder.name.upper()}:
            return site
    known = ", ".join(site.code for site in catalog.sites)
    raise ConfigurationError(f"there is no site {code}; known are {known}, {catalog.standard.code}")


def sender(catalog: Catalog, raw: bytes) -> Site:
    """The site that MSH-3 and MSH-4 name; the standard alone where no site is named.

    Raises:
        Refusal: the message has no header that can be read.
    """
    head = header(raw)
    return catalog.sites.find(head.sending_application, head.sending_facility) or catalog.standard

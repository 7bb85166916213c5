"""The guide: profile, mapping and example side by side, and every definition; a page is made when it is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from adapter.fhir import json
from adapter.fhir.applies import Application, load_applications
from adapter.fhir.profiles import definitions
from adapter.fhir.search_params import SearchIndex
from adapter.guide import html, profile_page
from adapter.guide.examples import Example, examples
from adapter.guide.made import made
from adapter.guide.shape import Resource
from adapter.mapper.catalog import Catalog
from adapter.trial.study import load_study

INDEX = "index.html"
_KINDS = {
    "Extension": "Extensions",
    "CodeSystem": "Code systems",
    "ValueSet": "Value sets",
    "ConceptMap": "Concept maps: codes, units, tables of HL7 v2, fields",
    "NamingSystem": "Systems of identifiers and codes",
    "PlanDefinition": "Plans",
    "ActivityDefinition": "What plans are made of",
    "Group": "Who may take part",
    "ResearchStudy": "The study",
    "Organization": "Hospitals",
    "Location": "Sites",
    "SearchParameter": "Search parameters",
}


class Guide:
    """The pages, by the name of their file."""

    def __init__(self, mappings: Path, profiles: Path, catalog: Catalog, index: SearchIndex) -> None:
        """Take what the program was started with; nothing is made before it is asked for."""
        self._mappings, self._profiles, self._catalog, self._search = mappings, profiles, catalog, index

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """All definitions by `Type-id`."""
        found = [*definitions(self._profiles), *made(self._mappings, self._profiles, self._catalog)]
        return {f"{one['resourceType']}-{one['id']}": one for one in found}

    @cached_property
    def applications(self) -> Mapping[str, Application]:
        """By the id of a profile, which resources it is about."""
        return {one.profile: one for one in load_applications(self._profiles, self._search)}

    @cached_property
    def _examples(self) -> Sequence[Example]:
        own = [Example(one) for one in self.resources.values()]
        return [*examples(self._profiles / "examples", self._catalog, load_study(self._mappings)), *own]

    def names(self) -> Iterator[str]:
        """The names of all pages."""
        yield INDEX
        yield from (f"{name}.html" for name in self.resources)

    def page(self, name: str) -> bytes | None:
        """One page; None where there is none of this name."""
        if name == INDEX:
            return self._contents()
        found = self.resources.get(name.removesuffix(".html")) if name.endswith(".html") else None
        if found is None:
            return None
        application = self.applications.get(found["id"]) if found["resourceType"] == "StructureDefinition" else None
        if application is None:
            return _definition(found)
        example = next((one for one in self._examples if application.fits(one.resource, self._search)), None)
        return profile_page.page(found, application, self._catalog, example)

    def _contents(self) -> bytes:
        listed: dict[str, list[Resource]] = {}
        for one in self.resources.values():
            listed.setdefault(_kind(one, self.applications), []).append(one)
        kinds = {"Profile": "Profiles", **_KINDS}
        places = " ".join(html.link(f"#{kind}", title) for kind, title in kinds.items() if kind in listed)
        parts = [html.section(kind, title, _list(listed[kind])) for kind, title in kinds.items() if kind in listed]
        intro = html.paragraph(
            "How the study's data look in FHIR R4, and from which fields of HL7 v2 they come. A profile's page has its "
            "rules, the rows of the mappings that fill its elements, and a synthetic message with what becomes of it."
        )
        return html.page("Implementation guide", intro, f"<nav>{places}</nav>", *parts)


def _kind(resource: Resource, applications: Mapping[str, Application]) -> str:
    if resource["resourceType"] != "StructureDefinition":
        return resource["resourceType"]
    return "Profile" if resource["id"] in applications else "Extension"


def _list(resources: Sequence[Resource]) -> str:
    rows = [
        (
            html.link(f"{one['resourceType']}-{one['id']}.html", one.get("title") or one.get("name") or one["id"]),
            html.code(one["id"]),
            html.paragraph(one.get("description", "")),
        )
        for one in sorted(resources, key=lambda one: one["id"])
    ]
    return html.table(("name", "id", "what it is"), rows)


def _definition(resource: Resource) -> bytes:
    kind, name = resource["resourceType"], resource["id"]
    title = resource.get("title") or resource.get("name") or name
    address = html.link(f"../fhir/{kind}/{name}", f"{kind}/{name}")
    text = json.pretty(resource).decode()
    return html.page(title, html.paragraph(resource.get("description", "")), f"<p>{address}</p>", html.block(text))

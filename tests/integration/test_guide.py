"""The implementation guide: over HTTP, as a folder, and as a person reads it in a browser."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from adapter.data import data_folder
from adapter.fhir.search_params import load
from adapter.guide.guide import Guide
from adapter.mapper.catalog import load_catalog
from tests.integration.api_stand import empty_database, served

MAPPINGS, PROFILES = data_folder("mappings"), data_folder("profiles")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# No message gives them: they are derived, and have no example here.
DERIVED = {"tli-donor-relation", "tli-recovery", "tli-survival"}


@pytest.fixture(scope="module")
def guide() -> Guide:
    return Guide(MAPPINGS, PROFILES, load_catalog(MAPPINGS), load(PROFILES))


@pytest.fixture(scope="module")
def client(
    guide: Guide, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    database = empty_database("sqlite", request, tmp_path_factory)
    with served(database, pages=guide.page) as client:
        yield client
    database.close()


def test_every_link_between_pages_leads_somewhere(guide: Guide) -> None:
    names = set(guide.names())
    for name in names:
        page = (guide.page(name) or b"").decode()
        linked = {address for address in re.findall(r'href="([^"#]+)"', page) if not address.startswith("../fhir/")}
        assert linked <= names, name


def test_every_profile_has_rules_mapping_and_an_example(guide: Guide) -> None:
    without: set[str] = set()
    for profile in guide.applications:
        page = (guide.page(f"StructureDefinition-{profile}.html") or b"").decode()
        assert 'id="rules"' in page
        assert 'id="mapping"' in page
        if 'id="resource"' not in page and 'class="beside"' not in page:
            without.add(profile)
    assert without == DERIVED


def test_a_page_that_does_not_exist_is_not_found(client: httpx.Client) -> None:
    assert client.get("/guide/StructureDefinition-no-such.html").status_code == 404
    assert client.get("/guide").headers["location"] == "/guide/index.html"


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (tests/install-chromium says why)")
def test_a_person_finds_mapping_and_example_of_the_infusion(client: httpx.Client, tmp_path: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{client.base_url}/guide")
        page.get_by_role("link", name="Infusion of T cells", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Infusion of T cells")
        expect(page.locator("table", has_text="BTX-16").first).to_be_visible()
        expect(page.locator("#message")).to_contain_text("BTS^O31")
        expect(page.locator("#resource")).to_contain_text('"resourceType": "Procedure"')
        page.screenshot(path=tmp_path / "infusion.png", full_page=True)
        browser.close()

"""Pages of an API that asks for keys, as a person opens them: the form, the cookie, a shared link, and what each role sees."""

import secrets
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Error, Page

from telemetry.key_table import KeyTable
from telemetry.keys import Credential, Key, Role, new_id, new_secret
from tests.browser.pages import Pages, faults_of, state
from tests.browser.test_states import NARROW
from tests.producer_api.server import Server, serving
from tests.support.stack import Stack
from tests.support.waiting import eventually

type New = Callable[..., str]


@pytest.fixture(scope="module")
def keyed(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An API with keys on the stack that is counted at once."""
    environ = {**live_stack.environ, "KEYS": "true"}
    with serving(environ, tmp_path_factory.mktemp("keyed") / "api.log") as server:
        yield server


@pytest.fixture
def new(live_stack: Stack) -> New:
    """Makes a key for a role."""
    table = KeyTable(live_stack.dynamodb, live_stack.names.keys)

    def make(role: Role, *patterns: str) -> str:
        credential = Credential(new_id(secrets.choice), new_secret(secrets.choice))
        assert table.add(Key(credential.key_id, role, credential.digest, int(time.time()), patterns or ("*",)))
        return credential.text

    return make


def settles(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for what a page that signs in and loads itself anew comes to: in between there is none to ask."""

    def met() -> None:
        try:
            assert condition(), page.inner_text("body")
        except Error as error:
            raise AssertionError(str(error)) from error

    eventually(met, within_s=60)


def sign_in(page: Page, key: str) -> None:
    """Fill in the form."""
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Open").click()


def test_a_person_signs_in_and_stays_so(pages: Pages, keyed: Server, new: New) -> None:
    """A wrong key is told in words; a good one opens the page, live, and is no script's to read."""
    page = pages.open(keyed.url, wait=False)
    assert page.get_by_role("heading", name="A key, please").is_visible()
    assert not faults_of(page)
    sign_in(page, "tlm_nonsense")
    settles(page, lambda: "mistyped" in page.inner_text("#said"))
    sign_in(page, new(Role.READ))
    settles(page, lambda: state(page) == "live")
    assert page.evaluate("document.cookie") == ""
    page.reload()
    settles(page, lambda: state(page) == "live")
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("telemetry", True, "Lax")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_signs_out_by_keyboard(pages: Pages, keyed: Server, new: New, *, scripts: bool) -> None:
    """With and without scripts; the cookie is gone, and the form is there again."""
    page = pages.open(keyed.url, scripts=scripts, wait=False)
    sign_in(page, new(Role.READ))
    settles(page, lambda: page.get_by_role("button", name="Sign out").is_visible())
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    settles(page, lambda: page.get_by_role("heading", name="A key, please").is_visible())
    assert not page.context.cookies()


def test_without_scripts_the_form_does_it_too(pages: Pages, keyed: Server, new: New) -> None:
    """It is a form like any other."""
    page = pages.open(keyed.url, scripts=False)
    sign_in(page, new(Role.READ))
    settles(page, lambda: page.locator("[data-part=sentence]").is_visible())


def test_a_shared_link_opens_the_page_and_leaves_the_address(pages: Pages, keyed: Server, new: New) -> None:
    """Neither the address nor the history keeps the key."""
    page = pages.open(f"{keyed.url}/#key={new(Role.READ)}", wait=False)
    settles(page, lambda: state(page) == "live")
    assert "tlm_" not in page.url
    page.go_back()
    assert "tlm_" not in page.url


@pytest.mark.parametrize(("role", "sees"), [(Role.READ, False), (Role.ADMIN, True)])
def test_the_pipeline_is_for_who_operates_it(pages: Pages, keyed: Server, new: New, role: Role, *, sees: bool) -> None:
    """Everybody else sees the sentence, and no link that would be refused."""
    page = pages.open(f"{keyed.url}/#key={new(role)}", wait=False)
    settles(page, lambda: state(page) == "live")
    assert page.get_by_role("heading", name="Pipeline").is_visible() == sees
    assert page.locator("a[href=connect]").is_visible() == sees
    assert page.locator("a[href='api/status']").is_visible() == sees
    assert page.locator("[data-part=sentence]").is_visible()


def test_a_key_for_some_sensors_has_a_list_of_them(pages: Pages, keyed: Server, new: New) -> None:
    """And each one's page, live."""
    page = pages.open(f"{keyed.url}/#key={new(Role.READ, 'hall-1')}", wait=False)
    settles(page, lambda: page.get_by_role("link", name="hall-1").is_visible())
    assert not faults_of(page)
    page.get_by_role("link", name="hall-1").click()
    settles(page, lambda: state(page) == "live")


def test_how_to_connect_fits_a_small_screen(pages: Pages, keyed: Server, new: New) -> None:
    """With nothing to scroll sideways, light and dark; for admin only."""
    refused = pages.open(f"{keyed.url}/connect#key={new(Role.READ)}", wait=False)
    settles(refused, lambda: "admin" in refused.inner_text("body"))
    page = pages.open(f"{keyed.url}/connect#key={new(Role.ADMIN)}", wait=False, width=NARROW)
    settles(page, lambda: page.get_by_role("heading", name="Connect a device").is_visible())
    assert "YOUR_KEY" in page.inner_text("main")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert not faults_of(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW

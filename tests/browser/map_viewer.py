"""Reach into the map: draw on it, and read what it says of itself."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.app import settle


def view(page: Page, number: int = 0) -> Locator:
    """The map, or the second of two; once it has drawn its points."""
    found = page.locator(".map-view").nth(number)
    expect(found).to_have_attribute("data-drawn", re.compile("[1-9]"), timeout=30_000)
    return found


def select_box(page: Page, share: float = 1.0, number: int = 0) -> None:
    """Draw a box over the left ``share`` of the map."""
    of = view(page, number)
    of.get_by_role("button", name="Box", exact=True).click()
    _drag(page, of, [(0.01, 0.01), (min(0.99, share), 0.99)])


def select_lasso(page: Page, corners: list[tuple[float, float]]) -> None:
    """Draw a lasso through corners, in shares of the map's width and height."""
    of = view(page)
    of.get_by_role("button", name="Lasso", exact=True).click()
    _drag(page, of, corners)


def _drag(page: Page, of: Locator, corners: list[tuple[float, float]]) -> None:
    canvas = of.locator("canvas.over")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    places = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()
    page.wait_for_timeout(300)  # the run of the script begins a little after
    settle(page)


def counted(page: Page, number: int = 0) -> int:
    """Points that the map shows as selected."""
    return int(view(page, number).get_attribute("data-selected"))


def said_images(page: Page) -> int:
    """Images that the panel says are selected."""
    text = page.get_by_text(re.compile(r"^[\d,]+ images?($|,)")).first.inner_text()
    return int(text.split()[0].replace(",", ""))


def said_pairs(page: Page) -> int:
    """Pairs that the panel says are selected."""
    text = page.get_by_text(re.compile(r"^[\d,]+ pairs? selected$")).first.inner_text()
    return int(text.split()[0].replace(",", ""))

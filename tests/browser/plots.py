"""Reach into plotly's figures: where a point is on the screen."""

from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.app import settle

_POINTS = """plot => plot.calcdata.flatMap(points => {
  const trace = points[0].trace, {xaxis, yaxis} = plot._fullLayout;
  if (trace.type !== 'scatter' || !trace.customdata) return [];
  return points.map((point, k) => ({
    name: trace.name, prototype: trace.customdata[k][0],
    x: xaxis._offset + xaxis.l2p(point.x), y: yaxis._offset + yaxis.l2p(point.y),
  }));
})"""


def stars(page: Page) -> dict[Any, dict[str, Any]]:
    """Stars of the map of prototypes by number, and the ``ring``: place on the figure in pixels, and prototype."""
    found = _stars_plot(page).evaluate(_POINTS)
    return {"ring" if point["name"] == "Chosen" else point["prototype"]: point for point in found}


def click_star(page: Page, number: int) -> None:
    star = stars(page)[number]
    _stars_plot(page).click(position={"x": star["x"], "y": star["y"]}, force=True)
    settle(page)


def choose_prototype(page: Page, number: int) -> None:
    page.wait_for_timeout(500)  # the figures above have been drawn, and the list is not moved away from under the click
    box = page.get_by_role("combobox", name="Prototype")
    box.click()
    box.press_sequentially(str(number))
    page.get_by_role("option", name=str(number), exact=True).click()
    settle(page)


def _stars_plot(page: Page) -> Locator:
    return page.locator('[class*="st-key-prototype_map_"] .js-plotly-plot').last

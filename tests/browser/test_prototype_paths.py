"""The parts of the Prototypes screen in a real browser: links to them, and what a phone shows."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.app import settle

FLOW, PAIR = "prototypes_part=Flow+between+sensors", "prototypes_part=One+pair"


def test_the_flow_is_drawn_as_bands_and_as_a_matrix(page):
    page.show(f"prototypes?{FLOW}")
    expect(page.locator(".sankey-link").first).to_be_visible()
    assert page.locator(".sankey-node").count() >= 4
    page.get_by_role("radio", name="Matrix").or_(page.get_by_role("button", name="Matrix")).first.click()
    settle(page)
    expect(page).to_have_url(re.compile("prototype_flow=Matrix"))
    expect(page.locator(".js-plotly-plot .heatmaplayer image").first).to_be_visible()


def test_a_pair_from_a_link_leads_to_its_leaf_and_back(page):
    page.show("prototypes?pair=id_0007")
    expect(page.get_by_text("id_0007").first).to_be_visible()
    page.get_by_role("button", name="Open leaf").click()
    settle(page)
    expect(page).to_have_url(re.compile("leaf.*pair=id_0007"))


def test_what_is_not_known_of_training_names_the_command(page):
    page.show("prototypes?prototypes_part=Over+training")
    expect(page.get_by_text("pretrain.keep_checkpoints")).to_be_visible()


@pytest.mark.parametrize("part", ["", FLOW, f"{FLOW}&prototype_flow=Matrix", PAIR])
def test_a_phone_scrolls_down_only(page, part):
    page.set_viewport_size({"width": 420, "height": 900})
    page.show(f"prototypes?{part}")
    over = page.evaluate("() => { const m = document.querySelector('[data-testid=stMain]'); "
                         "return m.scrollWidth - m.clientWidth }")  # fmt: skip
    assert over <= 1

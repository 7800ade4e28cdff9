"""What the user chose is still there: on another screen and back, after a change of colour, in the link."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.app import go, served_app, settle, show
from tests.browser.plots import dimmed, select_box
from tests.fakes import write_fake_run

LINKS = {  # screen -> link with every bound value changed, and controls that must show it
    "": ("judged=Validation", [("radio", "Validation", None)]),
    "leaf": (
        "leaf_label=brown&leaf_split=Training&leaf_show=sensors+disagree&leaf_search=id_0&class=healthy"
        "&leaf_opacity=0.25&neighbours=RGB+%E2%86%92+RGNIR",
        [
            ("combobox", "Label", "brown"),
            ("combobox", "Split", "Training"),
            ("combobox", "Show", "sensors disagree"),
            ("textbox", "Search id", "id_0"),
            ("radio", "healthy", None),
            ("radio", "RGB → RGNIR", None),
        ],
    ),
    "sensors": (
        "split=Training&list=RGNIR+only",
        [("radio", "Training", None), ("radio", "RGNIR only", None)],
    ),
    "map": (
        "space=Logits&method=t-SNE&colour=Sensor&map_lines=true&map_labels=brown&map_splits=Training&map_search=id_00",
        [
            ("radio", "Logits", None),
            ("radio", "t-SNE", None),
            ("combobox", "Colour", "Sensor"),
            ("switch", "Join pairs", None),
            ("textbox", "Find a pair", "id_00"),
        ],
    ),
    "prototypes": ("prototype=6", [("combobox", "Prototype", "6")]),
}


def check(page, controls):
    for role, name, value in controls:
        control = page.get_by_role(role, name=name, exact=True)
        if value is None:
            expect(control).to_be_checked()
        else:
            expect(control).to_have_value(value)


@pytest.mark.parametrize("screen", LINKS)
def test_choices_come_from_the_link_and_survive_another_screen(page, screen):
    link, controls = LINKS[screen]
    page.show(f"{screen}?{link}")
    check(page, controls)
    names = [part.split("=")[0] for part in link.split("&")]
    go(page, "Training")
    assert not [name for name in names if f"{name}=" in page.url]
    go(page, screen.capitalize() or "Overview")
    check(page, controls)
    assert [name for name in names if f"{name}=" not in page.url] == []


def test_the_pair_survives_another_screen(page):
    page.show("leaf?pair=id_0007")
    go(page, "Map")
    go(page, "Leaf")
    expect(page.locator("h4")).to_contain_text("id_0007")
    expect(page).to_have_url(re.compile("pair=id_0007"))


def test_a_selection_survives_colour_lines_and_another_screen(page):
    page.show("map")
    select_box(page, share=0.5)
    words = page.get_by_text(re.compile(r"^\d+ pairs selected$")).inner_text()
    away = dimmed(page)
    assert 0 < away < 120
    expect(page.get_by_text(words)).to_be_visible()
    page.get_by_role("combobox", name="Colour").click()
    page.get_by_role("option", name="Sensor", exact=True).click()
    settle(page)
    expect(page.get_by_text(words)).to_be_visible()
    assert dimmed(page) == 120 - 2 * int(words.split()[0])  # a new figure marks both images of each pair
    page.get_by_text("Join pairs").click()
    settle(page)
    expect(page.get_by_text(words)).to_be_visible()
    go(page, "Leaf")
    go(page, "Map")
    expect(page.get_by_text(words)).to_be_visible()
    select_box(page, share=0.25)
    expect(page.get_by_text(words)).to_have_count(0)
    page.get_by_role("button", name="Clear").click()
    settle(page)
    expect(page.get_by_text("Draw a lasso or a box")).to_be_visible()
    assert dimmed(page) == 0


def test_a_link_from_another_run_stays_in_it(page, tmp_path):
    """Of two runs offered, the link's is shown, also when it leads to the first screen by its name."""
    for name, pairs in (("one", 8), ("two", 12)):
        write_fake_run(tmp_path / name, pairs=pairs)
    with served_app(tmp_path / "one", tmp_path / "two") as url:
        show(page, f"{url}/overview?run=two")
        expect(page.get_by_test_id("stMetricValue").first).to_have_text("12")
        expect(page).to_have_url(f"{url}/?run=two")
        page.locator('[class*="st-key-open-"] button').first.click()
        page.wait_for_selector('h1:has-text("Leaf")')
        settle(page)
        expect(page.get_by_text("1 of 12")).to_be_visible()
        expect(page).to_have_url(re.compile("run=two"))

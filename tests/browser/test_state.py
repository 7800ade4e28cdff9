"""What the user chose is still there: on another screen and back, after a change of colour, in the link."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.app import go, served_app, settle, show
from tests.browser.map_viewer import counted, said_images, said_pairs, select_box, select_lasso, view
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
        "space=Logits&method=t-SNE&colour=Sensor&map_lines=arrows&map_labels=brown&map_splits=Training&map_search=id_00",
        [
            ("combobox", "Space", "Logits"),
            ("radio", "t-SNE", None),
            ("combobox", "Colour", "Sensor"),
            ("combobox", "Join pairs", "arrows"),
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
    pairs, images = said_pairs(page), said_images(page)
    assert 0 < images < 120
    assert counted(page) == images
    page.get_by_role("combobox", name="Colour").click()
    page.get_by_role("option", name="Sensor", exact=True).click()
    settle(page)
    assert (said_pairs(page), said_images(page), counted(page)) == (pairs, images, images)
    page.get_by_role("combobox", name="Join pairs").click()
    page.get_by_role("option", name="arrows", exact=True).click()
    settle(page)
    assert (said_pairs(page), counted(page)) == (pairs, images)
    page.get_by_role("radio", name="PCA").check(force=True)
    settle(page)
    assert (said_pairs(page), said_images(page)) == (pairs, images)
    expect(page.get_by_text("drawn on UMAP of embeddings, seed 0 and marked here")).to_be_visible()
    assert view(page).get_attribute("data-shape") == ""
    page.get_by_role("radio", name="UMAP").check(force=True)
    settle(page)
    go(page, "Leaf")
    go(page, "Map")
    assert (said_pairs(page), counted(page)) == (pairs, images)
    expect(page).to_have_url(re.compile("selection=umap.embedding.2.0~box~"))
    select_box(page, share=0.25)
    assert 0 < said_images(page) < images
    assert counted(page) == said_images(page)
    page.locator(".st-key-map_clear button").click()
    settle(page)
    expect(page.get_by_text("Draw a lasso or a box")).to_be_visible()
    expect(view(page)).to_have_attribute("data-selected", "0")  # the map follows the panel in a run of its own
    assert "selection=" not in page.url


def test_a_link_with_a_lasso_selects_the_same_images_anywhere(page, new_page):
    page.show("map?space=Projections&map_labels=brown&map_labels=blast")
    select_lasso(page, [(0.2, 0.1), (0.9, 0.35), (0.15, 0.6), (0.8, 0.95), (0.6, 0.05), (0.3, 0.9)])  # crosses itself
    pairs, images = said_pairs(page), said_images(page)
    assert counted(page) == images > 0
    other = new_page(900, 700, "dark")
    show(other, page.url)
    assert (said_pairs(other), said_images(other), counted(other)) == (pairs, images, images)
    other.get_by_role("button", name="Open on Leaf").click()
    other.wait_for_selector('h1:has-text("Leaf")')
    settle(other)
    expect(other.get_by_text(f"1 of {pairs}", exact=True)).to_be_visible()


def test_a_selection_on_one_seed_is_marked_on_the_other(page):
    page.show("map?map_seed=both")
    select_box(page, share=0.5)
    images = said_images(page)
    assert (counted(page, 0), view(page, 1).get_attribute("data-shape")) == (images, "")
    select_box(page, share=0.4, number=1)
    expect(page).to_have_url(re.compile("selection=umap.embedding.2.1~box~"))
    expect(view(page, 0)).to_have_attribute("data-shape", "")
    assert counted(page, 1) == said_images(page)


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

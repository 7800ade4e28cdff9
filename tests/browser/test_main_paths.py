"""What a user does most, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.app import ROOT, SCREENS, go, served_app, settle, show
from tests.browser.map_viewer import counted, select_box, view
from tests.browser.plots import choose_prototype, click_star, stars
from tests.fakes import QUEUE_STEP


def test_every_screen_opens_without_an_exception(page):
    page.show()
    for screen in SCREENS:
        go(page, screen)
        expect(page.locator("h1")).to_have_text(screen)
        expect(page.get_by_text("Simulated data")).to_be_visible()


def test_the_demo_run_opens_on_every_screen(page):
    with served_app(ROOT / "assets" / "demo") as url:
        show(page, url)
        for screen in SCREENS:
            go(page, screen)
            expect(page.get_by_text("Simulated data")).to_be_visible()
            expect(page.locator('[data-testid="stAlert"]').filter(has_text="rice-ssl")).to_have_count(0)


def test_the_ablation_says_what_the_views_buy(page):
    """It is of real pairs: what is said of the simulated run on every other screen does not hold for it."""
    page.show("ablation")
    expect(page.locator("h1")).to_have_text("Ablation")
    expect(page.get_by_text("Simulated data")).to_have_count(0)
    chart = page.locator('[data-testid="stPlotlyChart"]').first
    expect(chart).to_contain_text("Cross-sensor R@1")
    expect(chart).to_contain_text("paired-augmented")
    expect(page.locator('[data-testid="stDataFrame"]')).to_be_visible()
    go(page, "Leaf")
    expect(page.get_by_text("Simulated data")).to_be_visible()


def test_nothing_is_fetched_from_elsewhere(page, served):
    """The app works offline: no request leaves this machine but those that Streamlit's own menu makes."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.show()
    for screen in ("Leaf", "Map", "Training"):
        go(page, screen)
    away = [url for url in asked if not url.startswith((served, "data:", "blob:", "ws"))]
    assert [url for url in away if "streamlit" not in url] == []


def test_choose_a_pair_by_search_and_step_on(page):
    page.show("leaf")
    box = page.get_by_label("Search id")
    box.fill("id_001")
    box.press("Enter")
    settle(page)
    expect(page.locator("h4")).to_contain_text("id_0010")
    page.get_by_role("button", name="Next").click()
    settle(page)
    expect(page.locator("h4")).to_contain_text("id_0011")
    expect(page).to_have_url(re.compile("pair=id_0011"))


def test_filters_are_in_the_link(page):
    page.show("leaf?leaf_label=brown&leaf_search=id_003&leaf_opacity=0.25&leaf_split=nonsense")
    expect(page.get_by_text("1 of 3", exact=True)).to_be_visible()  # of id_0030 to id_0039, every third is brown
    expect(page.get_by_text("The link names split 'nonsense'")).to_have_count(1)
    expect(page.get_by_role("slider", name="Opacity")).to_have_value("0.25")
    box = page.get_by_label("Search id")
    box.fill("id_001")
    box.press("Enter")
    settle(page)
    expect(page).to_have_url(re.compile("leaf_search=id_001"))
    page.show("map?map_lines=true&map_labels=brown")  # as a former version wrote it
    expect(page.get_by_role("combobox", name="Join pairs")).to_have_value("lines")


def test_follow_a_disagreement_to_its_leaf(page):
    page.show("sensors?split=Training")
    grid = page.locator('[data-testid="stDataFrame"]').first
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 54)  # the selection box of the first row, the greatest divergence
    page.wait_for_selector('h1:has-text("Leaf")')
    settle(page)
    expect(page.get_by_text("The sensors disagree")).to_be_visible()


def test_follow_a_band_to_the_leaf_that_it_changes(page):
    page.show("sensors?part=Bands&band=RGB+blue")
    grid = page.locator('[data-testid="stDataFrame"]').last
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 54)
    page.wait_for_selector('h1:has-text("Leaf")')
    settle(page)
    expect(page.locator("h4")).to_contain_text("id_0000")
    expect(page.get_by_text("2 of 2 replacements change")).to_be_visible()


def test_follow_a_finding_to_its_leaf(page):
    page.show("?audit=Duplicates")
    page.get_by_role("button", name="id_0004", exact=True).click()
    page.wait_for_selector('h1:has-text("Leaf")')
    settle(page)
    expect(page).to_have_url(re.compile("pair=id_0004"))


def test_compare_two_runs(page):
    page.show("runs?runs_split=Out+of+fold")
    said = r"\({}\) against comparison/rgb-swav \(RGB\), 45 pairs"
    expect(page.get_by_text(re.compile(said.format("Joint")))).to_be_visible()
    page.get_by_role("radio", name="RGB", exact=True).check(force=True)
    settle(page)
    expect(page.get_by_text(re.compile(said.format("RGB")))).to_be_visible()
    expect(page).to_have_url(re.compile("runs_judge=RGB"))


def test_select_on_the_map(page):
    page.show("map")
    select_box(page)
    expect(page.get_by_text("60 pairs selected")).to_be_visible()
    expect(page.get_by_text("6 of them are shown, drawn at random.")).to_be_visible()
    assert counted(page) == 120


def test_a_pointed_image_is_told_and_a_clicked_pair_is_shown(page):
    page.show("map?map_search=id_0007")
    canvas = view(page).locator("canvas.over")
    canvas.scroll_into_view_if_needed()
    box, tooltip = canvas.bounding_box(), view(page).locator(".tooltip")
    across, down = _where(canvas)
    page.mouse.move(box["x"] + across + 3, box["y"] + down)
    page.mouse.move(box["x"] + across, box["y"] + down)
    expect(tooltip).to_contain_text("id_0007")
    expect(tooltip).to_contain_text("label brown")
    expect(tooltip.locator("img")).to_have_count(1)
    page.mouse.down()
    page.mouse.up()
    settle(page)
    expect(page).to_have_url(re.compile("pair=id_0007"))
    expect(page.locator('[data-testid="stImage"] img[alt*="id_0007"]').first).to_be_visible()


def _where(canvas):
    """Middle of the topmost ring on the map, in pixels of the canvas: a search rings what it finds."""
    return canvas.evaluate(
        """canvas => {
          const {width, height} = canvas, {data} = canvas.getContext("2d").getImageData(0, 0, width, height)
          for (let k = 0; k < data.length; k += 4) {
            if (data[k] > 190 && data[k + 1] > 60 && data[k + 1] < 130 && data[k + 2] < 40 && data[k + 3] > 200) {
              const ratio = width / canvas.clientWidth
              return [(k / 4 % width) / ratio, Math.floor(k / 4 / width) / ratio + 8]
            }
          }
        }"""
    )


def test_images_as_points(page):
    page.show("map?space=Logits&method=t-SNE&images=true&map_lines=true")
    expect(page.get_by_text(re.compile("of 120 images in view, at most one for each cell of a grid"))).to_be_visible()
    expect(page.get_by_text(re.compile("red where the prediction is wrong"))).to_be_visible()
    expect(page.get_by_role("combobox", name="Join pairs")).to_be_disabled()
    expect(page.get_by_role("combobox", name="Colour")).to_be_disabled()
    before = page.get_by_text("images in view").inner_text()
    for _ in range(4):
        view(page).get_by_role("button", name="Zoom in").click()
    expect(page.get_by_text("images in view")).not_to_have_text(before)
    settle(page)
    among = int(re.search(r"of (\d+) images", page.get_by_text("images in view").inner_text()).group(1))
    assert among < 120
    view(page).get_by_role("button", name="Reset view").click()
    settle(page)
    select_box(page)
    expect(page.get_by_text("pairs selected")).to_be_visible()


def test_three_dimensions_turn_and_do_not_select(page):
    page.show("map?map_3d=true")
    expect(page.locator(".js-plotly-plot canvas").first).to_be_visible()
    expect(page.get_by_text("Nothing can be selected here")).to_be_visible()
    expect(page.get_by_role("switch", name="Images as points")).to_be_disabled()


def test_pairs_that_the_sensors_place_differently_lead_to_their_leaves(page):
    page.show("map")
    page.get_by_text("Do the two sensors place pairs alike?").click()
    settle(page)
    expect(page.get_by_text(re.compile("overlap is 0.\\d\\d on average over 60 pairs"))).to_be_visible()
    grid = page.locator('[data-testid="stDataFrame"]').last
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 54)
    page.wait_for_selector('h1:has-text("Leaf")')
    settle(page)
    expect(page).to_have_url(re.compile("pair=id_"))


def test_open_a_prototype(page):
    page.show("prototypes?prototype=3")
    expect(page.get_by_text("Nearest RGB images")).to_be_visible()
    expect(page.get_by_role("combobox", name="Prototype")).to_have_value("3")
    choose_prototype(page, 2)
    expect(page).to_have_url(re.compile("prototype=2"))
    assert stars(page)["ring"]["prototype"] == 2


def test_a_click_on_a_star_opens_its_prototype(page):
    """Also on the star that was clicked before, when another prototype has been chosen from the list since."""
    page.show("prototypes?prototype=3")
    for number in (5, 1):
        click_star(page, number)
        expect(page).to_have_url(re.compile(f"prototype={number}$"))
        expect(page.get_by_role("combobox", name="Prototype")).to_have_value(str(number))
        assert stars(page)["ring"]["prototype"] == number
    choose_prototype(page, 7)
    assert stars(page)["ring"]["prototype"] == 7
    click_star(page, 1)
    expect(page.get_by_role("combobox", name="Prototype")).to_have_value("1")
    click_star(page, 1)  # the ring lies over it, and is it too
    expect(page.get_by_role("combobox", name="Prototype")).to_have_value("1")


def test_the_first_screen_has_an_address_of_its_own_name(page):
    page.show("overview")
    expect(page.locator("h1")).to_have_text("Overview")
    expect(page.get_by_text("Page not found")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_upload_a_log(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.show("training")
    page.get_by_text("Your log").first.click()
    settle(page)
    rows = ["step,loss"] + [
        f"{step},{4 - 0.002 * step - (step >= QUEUE_STEP) + 0.01 * (step % 3)}" for step in range(120)
    ]
    page.locator('input[type="file"]').set_input_files(
        {"name": "log.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    )
    settle(page)
    page.wait_for_selector(".js-plotly-plot")
    expect(page.get_by_text("undecided").first).to_be_visible()

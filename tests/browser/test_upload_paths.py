"""The Upload screen in a real browser: a pair, then a file that is no image, and a phone's width."""

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.attribution.network_run import write_network_run
from tests.browser.app import served_app, settle, show


@pytest.fixture(scope="module")
def uploading(tmp_path_factory):
    """URL of the app on a run with networks, and the folder of its images."""
    folder = tmp_path_factory.mktemp("uploading")
    store = write_network_run(folder)
    with served_app(store.root) as url:
        yield url, folder / "images" / "Images"


def give(page, number, name, content):
    page.locator('input[type="file"]').nth(number).set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )
    expect(page.get_by_text(name).first).to_be_visible()
    settle(page)


def test_a_pair_is_judged_and_a_bad_file_leaves_the_other_image(page, uploading):
    url, images = uploading
    show(page, f"{url}/upload")
    expect(page.get_by_text("Give an image of RGB or RGNIR; with both they are judged as a pair.")).to_be_visible()
    give(page, 0, "one.jpg", (images / "id_004.jpg").read_bytes())
    expect(page.get_by_text("The RGB image is predicted")).to_be_visible(timeout=60_000)
    give(page, 1, "other.jpg", (images / "id_004_rgn.jpg").read_bytes())
    expect(page.get_by_text("Together:")).to_be_visible()
    expect(page.get_by_text("other.jpg is an image of this run: RGNIR of the")).to_be_visible()
    expect(page.locator("canvas")).not_to_have_count(0)  # pictures with their maps
    page.get_by_test_id("stFileUploader").nth(1).get_by_role("button", name="Remove").click()
    settle(page)
    expect(page.get_by_text("The RGB image is predicted")).to_be_visible()
    give(page, 1, "text.jpg", b"I am a text, whatever my name says")
    expect(page.get_by_text("text.jpg is a text file, not an image, whatever its name says")).to_be_visible()
    expect(page.get_by_text("The RGB image is predicted")).to_be_visible()


def test_an_image_is_still_there_after_a_look_at_a_neighbour(page, uploading):
    url, images = uploading
    show(page, f"{url}/upload")
    give(page, 0, "one.jpg", (images / "id_004.jpg").read_bytes())
    page.get_by_text("id_004", exact=True).first.click()
    page.wait_for_selector('h1:has-text("Leaf")')
    settle(page)
    page.locator('[data-testid="stSidebarNavLink"]', has_text="Upload").click()
    page.wait_for_selector('h1:has-text("Upload")')
    settle(page)
    expect(page.get_by_text("one.jpg, given before")).to_be_visible()
    expect(page.get_by_text("The RGB image is predicted")).to_be_visible()
    page.get_by_role("button", name="Forget it").click()
    settle(page)
    expect(page.get_by_text("Give an image of")).to_be_visible()


def test_it_fits_a_phone(new_page, uploading):
    url, images = uploading
    page = new_page(420, 900)
    page.set_default_timeout(60_000)
    show(page, f"{url}/upload")
    stream = io.BytesIO()
    Image.open(images / "id_004.jpg").save(stream, "PNG")
    give(page, 0, "one.png", stream.getvalue())
    expect(page.get_by_text("The RGB image is predicted")).to_be_visible()
    for element in page.locator('[data-testid="stMain"] img, [data-testid="stFileUploader"], canvas').all():
        box = element.bounding_box()
        assert box is None or box["x"] + box["width"] <= 420

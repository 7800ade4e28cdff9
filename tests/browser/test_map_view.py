"""The map's own drawing in a real browser: selections exact to the point, arrays sent once, keyboard, tooltip."""

import contextlib
import io
import re
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from rice_ssl.embeddings.polygon import inside
from tests.browser.app import ROOT, settle
from tests.browser.contrast import contrast_of
from tests.browser.map_page import GRID, kept, places

STEPS = 65535
SHAPES = "\n".join(
    (ROOT / "dashboard" / "components" / "map_viewer" / name).read_text() for name in ("camera.js", "shape.js")
)


@pytest.fixture(scope="module")
def map_url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "tests/browser/map_page.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
            break
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


@pytest.fixture
def shown(new_page, map_url):
    """A page with the map; ``page.sent``: sizes of messages from the server, ``page.said``: the console's errors."""

    def opened(scheme="light", width=1200):
        page = new_page(width, 900, scheme, scale=3 if scheme != "light" else 1)
        page.sent, page.said = [], []
        page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: page.sent.append(len(frame))))
        page.goto(map_url)
        page.locator(".map-view[data-drawn]").wait_for()
        settle(page)
        return page

    return opened


def view(page):
    return page.locator(".map-view")


def selected(page) -> int:
    page.wait_for_timeout(120)
    return int(view(page).get_attribute("data-selected"))


def middle(page):
    box = page.locator(".map-view canvas.over").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def draw(page, tool, corners):
    """Draw with a tool through these pixels, relative to the middle of the map, and wait until the server knows."""
    before = words(page).inner_text()
    page.get_by_role("button", name=tool, exact=True).click()
    x, y = middle(page)
    page.mouse.move(x + corners[0][0], y + corners[0][1])
    page.mouse.down()
    for dx, dy in corners[1:]:
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()
    expect(words(page)).not_to_have_text(before)
    settle(page)


def words(page):
    """What the server says of the shape."""
    return page.locator("[data-testid=stMarkdown] code").first


def shape(page):
    """Kind and vertices, in the map's coordinates, of what the server was told."""
    kind, *corners = words(page).inner_text().split()
    steps = np.array([[int(step) for step in corner.split(",")] for corner in corners], dtype=np.float64)
    return kind, 0.0 + steps * (GRID - 1.0) / STEPS


def inside_in_browser(page, x, y, vertices) -> np.ndarray:
    """Points inside, as the page's own script finds them."""
    found = page.evaluate(
        f"([x, y, vertices]) => {{ {SHAPES}; const found = inside({{kind: 'lasso', vertices}}, "
        "{x: Float32Array.from(x), y: Float32Array.from(y)}); return [...found.mask] }",
        [x.tolist(), y.tolist(), vertices.tolist()],
    )
    return np.array(found, dtype=bool)


def in_registry(page) -> int:
    """Arrays that the page holds for its maps."""
    return int(page.evaluate("window.__riceSslMapArrays.arrays.size"))


def pixels(page) -> np.ndarray:
    picture = page.locator(".map-view .stage").screenshot()
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def test_a_lasso_selects_what_the_server_finds_inside(shown):
    page = shown()
    x, y, _ = places()
    for corners in (
        [(-90, -70), (110, -60), (60, 90), (-70, 60), (-90, -70)],
        [(-100, -100), (100, 100), (100, -100), (-100, 100), (-100, -100)],  # crosses itself
        [(-120, -20), (120, -20), (0, 120)],
    ):
        draw(page, "Lasso", corners)
        kind, vertices = shape(page)
        assert kind == "lasso"
        assert 3 <= len(vertices) <= 64
        wanted = inside(x, y, vertices)
        assert 0 < wanted.sum() < len(x)
        assert wanted.sum() % 2 == 0  # each point is there twice
        assert selected(page) == wanted.sum()
    assert page.said == []


def test_points_on_the_edges_of_a_shape_are_inside(shown):
    """Through the page's own functions, so that edges can be laid through points to the last bit."""
    page = shown()
    x, y, _ = places()
    shapes = [
        [[2, 2], [12, 2], [12, 12], [2, 12]],
        [[0, 0], [20, 10], [0, 20]],
        [[5, 5], [15, 15], [15, 5], [5, 15]],
        [[0, 0], [40, 0], [40, 40], [0, 40]],
        [[3, 3], [30, 3], [30, 30], [3, 3], [10, 3], [3, 10]],
        [[7.25, 1.5], [33.1, 8.7], [12.9, 39.2], [1.1, 20.3]],
    ]
    for vertices in shapes:
        found = inside_in_browser(page, x, y, np.array(vertices, dtype=float))
        assert np.array_equal(found, inside(x, y, np.array(vertices, dtype=float)))
    square = inside(x, y, np.array(shapes[0], dtype=float))
    assert square.sum() == 2 * 11 * 11


def test_shapes_that_are_hard_to_decide_are_decided_as_the_server_does(shown):
    """Edges that cross or lie on each other, corners that repeat, points on edges and beside them by the last bit."""
    page = shown()
    chance = np.random.default_rng(5)
    x, y, _ = places()
    for number in range(24):
        vertices = chance.integers(0, GRID, (int(chance.integers(3, 33)), 2)).astype(float)
        vertices = np.repeat(vertices, 2, axis=0) if number % 3 == 0 else vertices
        assert np.array_equal(inside_in_browser(page, x, y, vertices), inside(x, y, vertices))
    for scale in (1e-30, 1e-3, 1.0, 1e12):
        vertices = (chance.normal(0, scale, (40, 2))).astype(np.float32).astype(float)
        on = np.vstack([vertices, (vertices + np.roll(vertices, -1, axis=0)) / 2]).astype(np.float32)
        points = np.vstack([on, np.nextafter(on, np.float32(np.inf)), np.nextafter(on, np.float32(-np.inf))])
        wanted = inside(points[:, 0], points[:, 1], vertices)
        assert wanted[: len(vertices)].all()
        assert not wanted.all()
        assert np.array_equal(inside_in_browser(page, points[:, 0], points[:, 1], vertices), wanted)


def test_a_long_lasso_keeps_the_corners_that_matter(shown):
    page = shown()
    chance = np.random.default_rng(0)
    turns = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    corners = (chance.uniform(5_000, 30_000, (300, 1)) * np.stack([np.cos(turns), np.sin(turns)], 1)).round().tolist()
    found = page.evaluate(f"(corners) => {{ {SHAPES}; return simplified(corners) }}", corners)

    def area(kept, k):
        (ax, ay), (bx, by), (cx, cy) = kept[k - 1], kept[k], kept[(k + 1) % len(kept)]
        return abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))

    wanted = list(corners)
    while len(wanted) > 64:
        del wanted[min(range(len(wanted)), key=lambda k: area(wanted, k))]
    assert found == wanted


def test_a_box_is_closed_and_filtered_points_are_never_selected(shown):
    page = shown()
    x, y, _ = places()
    draw(page, "Box", [(-100, -80), (90, 100)])
    kind, vertices = shape(page)
    assert kind == "box"
    (left, bottom), (right, top) = vertices.min(axis=0), vertices.max(axis=0)
    wanted = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    assert selected(page) == wanted.sum()
    page.get_by_text("Filter").click()
    settle(page)
    assert selected(page) == (wanted & (kept() > 0)).sum() < wanted.sum()
    page.get_by_role("button", name="Clear", exact=True).click()
    settle(page)
    assert selected(page) == 0
    expect(words(page)).to_have_text("none")
    assert page.get_by_role("button", name="Clear", exact=True).count() == 0


def test_arrays_are_sent_once(shown):
    page = shown()
    points = 9 * len(places()[0])  # bytes of x, y and sensor
    assert max(page.sent) > points
    page.sent.clear()
    draw(page, "Box", [(-50, -50), (50, 50)])
    page.mouse.move(*middle(page))
    page.wait_for_timeout(600)
    settle(page)
    page.get_by_text("Filter").click()
    settle(page)
    assert max(page.sent) < max(points, 60_000)  # the view's own script comes along, the places do not
    assert view(page).get_attribute("data-points") == str(len(places()[0]))


def test_a_pointed_point_is_told_and_a_clicked_one_opened(shown):
    page = shown()
    x, y = middle(page)
    page.mouse.move(x, y)
    tooltip = page.get_by_role("tooltip")
    expect(tooltip).to_be_visible()
    row = int(re.search(r"point (\d+)", tooltip.inner_text()).group(1))
    where = places()
    assert (where[0][row], where[1][row]) == (GRID // 2, GRID // 2)
    page.mouse.click(x, y)
    expect(page.get_by_text(f"opened {row}")).to_be_visible()
    page.mouse.move(5, 5)
    expect(tooltip).to_be_hidden()


def test_a_point_is_told_again_when_it_is_pointed_at_again(shown):
    page = shown()
    x, y = middle(page)
    tooltip = page.get_by_role("tooltip")
    for _ in range(2):
        page.mouse.move(x, y)
        expect(tooltip).to_be_visible()
        page.mouse.move(5, 5)
        expect(tooltip).to_be_hidden()
    page.mouse.move(x, y)
    expect(tooltip).to_be_visible()
    page.mouse.wheel(0, -100)
    expect(tooltip).to_be_hidden()
    page.mouse.move(x + 1, y)
    expect(tooltip).to_be_visible()


def test_arrays_that_no_map_draws_are_forgotten_and_the_view_stays(shown):
    page = shown()
    before = in_registry(page)
    page.locator(".map-view canvas.over").focus()
    page.keyboard.press("+")
    draw(page, "Box", [(-50, -50), (50, 50)])
    page.mouse.move(5, 5)
    page.wait_for_timeout(200)
    picture, count = pixels(page), selected(page)
    page.get_by_text("Filter").click()
    expect(view(page)).not_to_have_attribute("data-selected", str(count))
    assert in_registry(page) == before + 1
    page.get_by_text("Filter").click()
    expect(view(page)).to_have_attribute("data-selected", str(count))
    settle(page)
    assert in_registry(page) == before
    assert np.abs(pixels(page) - picture).mean() < 1


def test_enter_selects_what_is_in_view(shown):
    page = shown()
    x, y, _ = places()
    page.locator(".map-view canvas.over").focus()
    for _ in range(3):
        page.keyboard.press("+")
    page.keyboard.press("Enter")
    expect(words(page)).not_to_have_text("none")
    kind, vertices = shape(page)
    assert kind == "box"
    (left, bottom), (right, top) = vertices.min(axis=0), vertices.max(axis=0)
    wanted = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    assert 0 < wanted.sum() < len(x)
    assert selected(page) == wanted.sum()


def test_two_fingers_zoom_and_draw_nothing(shown):
    page = shown()
    before = pixels(page)
    page.locator(".map-view canvas.over").evaluate(
        """canvas => {
          const box = canvas.getBoundingClientRect()
          const touch = (kind, pointerId, dx) => canvas.dispatchEvent(new PointerEvent(kind, {
            bubbles: true, pointerId, pointerType: 'touch', isPrimary: pointerId === 1, button: 0,
            clientX: box.left + box.width / 2 + dx, clientY: box.top + box.height / 2 }))
          touch('pointerdown', 1, -20)
          touch('pointerdown', 2, 20)
          for (const apart of [30, 40, 50, 60]) {
            touch('pointermove', 1, -apart)
            touch('pointermove', 2, apart)
          }
          touch('pointerup', 1, -60)
          touch('pointerup', 2, 60)
        }"""
    )
    page.wait_for_timeout(150)
    assert np.abs(pixels(page) - before).mean() > 1
    assert view(page).get_attribute("data-shape") == ""
    assert selected(page) == 0


def test_the_keyboard_and_the_wheel_move_the_map(shown):
    page = shown()
    page.locator(".map-view canvas.over").focus()
    before = pixels(page)
    for key in ("+", "ArrowLeft", "ArrowUp", "-"):
        drawn = int(view(page).get_attribute("data-drawn"))
        page.keyboard.press(key)
        page.wait_for_timeout(80)
        assert int(view(page).get_attribute("data-drawn")) > drawn
    assert np.abs(pixels(page) - before).max() > 40
    page.keyboard.press("0")
    page.wait_for_timeout(80)
    assert np.abs(pixels(page) - before).mean() < 1
    page.mouse.move(*middle(page))
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(150)
    assert np.abs(pixels(page) - before).mean() > 1
    draw(page, "Box", [(-50, -50), (50, 50)])
    assert selected(page) > 0
    page.locator(".map-view canvas.over").focus()
    page.keyboard.press("Escape")
    settle(page)
    assert selected(page) == 0


def test_a_legend_entry_shows_its_points_alone(shown):
    page = shown()
    blast = page.get_by_role("button", name="blast")
    blue = np.array([0x00, 0x72, 0xB2])

    def near(colour):
        return int((np.abs(pixels(page) - colour).max(axis=2) < 30).sum())

    orange = np.array([0xE6, 0x9F, 0x00])
    assert near(orange) > 1000
    blast.click()
    page.wait_for_timeout(150)
    expect(blast).to_have_attribute("aria-pressed", "true")
    assert near(orange) == 0
    assert near(blue) > 1000
    blast.click()
    page.wait_for_timeout(150)
    assert near(orange) > 1000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_and_a_phone_has_room(shown, scheme):
    page = shown(scheme, width=420)
    for text in (
        page.get_by_role("button", name="Lasso"),
        page.get_by_role("button", name="Fit"),
        page.get_by_text("RGNIR"),
    ):
        assert contrast_of(text) >= 4.5
    stage = page.locator(".map-view .stage").bounding_box()
    assert stage["x"] >= 0
    assert stage["x"] + stage["width"] <= 420
    assert page.evaluate("document.documentElement.scrollWidth") <= 420

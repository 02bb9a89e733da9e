"""Take the pictures of the page that the docs show: its states in a real Chromium.

    python -m scripts.page_pictures --out docs

writes ``page.jpg`` and ``page_*.jpg``. Needs Debian's chromium; the photos are scikit-image's.
"""

import argparse
import io
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from PIL import ExifTags, Image
from playwright.sync_api import Browser, Page, expect

from dslr_gan.page.uploads import EXAMPLE_FOLDER
from tests.support.app_server import running_app
from tests.support.browser import DESK, PATIENCE, PHONE, finished, opened, running_browser, tab

GAP = 24
"""Pixels between two screens in one picture."""


def photo(folder: Path, example: str, name: str, *, width: int = 1500) -> Path:
    """A photo of scikit-image as an iPhone would have named and tagged it."""
    with Image.open(EXAMPLE_FOLDER / example) as picture_file:
        picture = picture_file.convert("RGB")
    size = (width, round(width * picture.height / picture.width))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    exif = picture.getexif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Apple", "iPhone 3GS"
    picture.save(folder / name, exif=exif, quality=92)
    return folder / name


def dslr_photo(folder: Path) -> Path:
    """The coffee from a little nearer, turned by three degrees, in other colours."""
    scene = Image.open(EXAMPLE_FOLDER / "coffee.png").resize((2400, 1600), Image.Resampling.LANCZOS)
    turned = scene.rotate(3, resample=Image.Resampling.BICUBIC).crop((200, 150, 2200, 1480))
    red, green, blue = turned.split()
    brighter = red.point(lambda level: min(255, int(level * 1.05)))
    Image.merge("RGB", (brighter, green, blue)).save(folder / "DSC_0815.jpg", quality=95)
    return folder / "DSC_0815.jpg"


def darker(file: Path) -> Path:
    """The same photo underexposed, as phones do it."""
    with Image.open(file) as opened_photo:
        exif, dark = opened_photo.getexif(), opened_photo.point(lambda level: int(level * 0.75))
    dark.save(file, exif=exif, quality=92)
    return file


def given(page: Page, file: Path) -> None:
    """Give the page a photo; wait for the result."""
    page.set_input_files(".dg-file", file)
    expect(page.locator("#viewer .dg-words").first).to_contain_text("pixels in", timeout=PATIENCE)
    finished(page)


def first(page: Page, _folder: Path) -> None:
    """The page as it opens."""
    expect(page.locator(".dg-original")).to_have_attribute("src", re.compile("file="))


def working(page: Page, folder: Path) -> None:
    """The result develops."""
    page.set_input_files(".dg-file", photo(folder, "rocket.jpg", "IMG_4711.jpg", width=6000))
    expect(page.locator("#viewer .dg-words").first).to_contain_text("tile", timeout=PATIENCE)
    page.wait_for_timeout(1500)


def both(page: Page, folder: Path) -> None:
    """Both phones."""
    given(page, photo(folder, "chelsea.png", "IMG_0021.jpg"))
    page.check(".dg-phones input[value=both]", force=True)
    expect(page.locator(".dg-change")).to_have_count(2, timeout=PATIENCE)
    finished(page)


def reference(page: Page, folder: Path) -> None:
    """A DSLR photo of the same scene."""
    given(page, darker(photo(folder, "coffee.png", "IMG_0815.jpg")))
    page.set_input_files(".dg-reference-file", dslr_photo(folder))
    expect(page.locator(".dg-quality")).to_be_visible(timeout=PATIENCE)
    finished(page)


def many(page: Page, folder: Path) -> None:
    """A zip of photos, one of which is none."""
    tab(page, "Many photos")
    with zipfile.ZipFile(folder / "holiday.zip", "w") as packed:
        for number, example in enumerate(
            ("rocket.jpg", "chelsea.png", "coffee.png", "astronaut.png")
        ):
            file = photo(folder, example, f"IMG_000{number}.jpg", width=900)
            packed.write(file, f"day {number // 2 + 1}/{file.name}")
        packed.writestr("day 2/notes.jpg", "Not a photo.")
    one = photo(folder, "motorcycle_left.png", "garage.jpg", width=900)
    page.set_input_files(".dg-many-files", [folder / "holiday.zip", one])
    page.click(".dg-start")
    expect(page.locator(".dg-zip")).to_be_visible(timeout=PATIENCE)


PICTURES: dict[str, list[tuple[Callable[[Page, Path], None], dict[str, int], str, int]]] = {
    "page": [(first, DESK, "light", 800)],
    "page_working": [(working, DESK, "dark", 800)],
    "page_both": [(both, DESK, "light", 880)],
    "page_reference": [(reference, DESK, "dark", 1040)],
    "page_many": [(many, DESK, "light", 620)],
    "page_phone": [
        (first, PHONE, "light", 844),
        (both, PHONE, "dark", 844),
        (many, PHONE, "light", 844),
    ],
}
"""By file name: what is done, in which window and colours, and so many pixels of height."""


def taken(browser: Browser, address: str, state: tuple) -> Image.Image:
    """One screen in one state."""
    act, window, colours, height = state
    page = opened(browser, address, window, color_scheme=colours)
    with tempfile.TemporaryDirectory() as folder:
        act(page, Path(folder))
        page.mouse.move(0, 0)
        page.evaluate(
            """() => Promise.all(
              [...document.querySelectorAll(".dg img[src]")].map((one) => one.decode()))"""
        )
        page.wait_for_timeout(300)
        page.evaluate("document.activeElement.blur()")
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    page.context.close()
    return picture.crop((0, 0, picture.width, min(height, picture.height)))


def beside(screens: list[Image.Image]) -> Image.Image:
    """Screens side by side."""
    width = sum(screen.width + GAP for screen in screens) - GAP
    joined = Image.new("RGB", (width, max(screen.height for screen in screens)), "#8d8d8d")
    left = 0
    for screen in screens:
        joined.paste(screen, (left, 0))
        left += screen.width + GAP
    return joined


def main() -> None:
    """Take them all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder (default: docs)")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PICTURES)} (default: all)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as address,
        running_browser() as browser,
    ):
        for name in options.names or PICTURES:
            picture = beside([taken(browser, address, state) for state in PICTURES[name]])
            file = options.out / f"{name}.jpg"
            picture.save(file, quality=80, optimize=True, progressive=True)
            print(f"{file}: {picture.width}×{picture.height}, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

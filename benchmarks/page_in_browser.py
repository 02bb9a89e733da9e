"""What a person waits for in a real browser: the part ``browser`` of ``benchmarks.page``."""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.common import write_photo
from benchmarks.served import SIZES, page, table

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

WATCH = """() => {
  performance.setResourceTimingBufferSize(5000);
  const marks = window.marks = {};
  const mark = (name) => (marks[name] ??= (performance.now() - window.began) / 1000);
  document.querySelector(".dg-file").addEventListener(
    "change", () => { window.began = performance.now(); }, true);
  const has = (image, part) => image && !image.hidden && image.complete && image.naturalWidth
    && image.src.includes(part);
  const look = () => {
    if (window.began) {
      const enhanced = document.querySelector(".dg-enhanced");
      if (has(enhanced, "/small.jpg")) mark("first");
      if (has(enhanced, "/tiles_")) mark("tiles");
      if (has(enhanced, "/after.jpg")) mark("whole");
      if (has(enhanced, "/exact_after")) mark("exact");
    }
    requestAnimationFrame(look);
  };
  look();
}"""
"""Marks, before each frame, which picture is drawn in it: seconds after a file was chosen."""

AMOUNT = """async () => {
  const range = document.querySelector(".dg-amount[data-amount=colour]");
  const numbers = document.querySelector(".dg-numbers");
  const old = numbers.innerText;
  range.value = 50;
  range.dispatchEvent(new Event("input", {bubbles: true}));
  range.dispatchEvent(new Event("change", {bubbles: true}));
  const began = performance.now();
  while (numbers.innerText === old) await new Promise(requestAnimationFrame);
  const answer = performance.getEntriesByType("resource")
    .findLast((entry) => entry.name.includes("component_server"));
  return [performance.now() - began, answer.responseEnd - began];
}"""
"""Milliseconds from the release of a slider to other numbers, and to the answer they are of."""


def browser(options: argparse.Namespace) -> Iterator[str]:
    """One photo of each size in Chromium: what a person waits for, from the choice of the file."""
    yield "## In the browser"
    yield (
        "Chromium without a GPU on the same two cores: seconds from the choice of a JPEG, whose "
        "upload is included, until a frame shows the first enhanced picture, the first tiles of "
        "full resolution, and all of it; seconds from a click on More until what the sliders of "
        "colour and detail need is there; milliseconds from the release of the slider of colours "
        "to the server's answer, and to the frame that has the scores of the new amount: with it "
        "the picture is drawn anew, of a layer that is decoded for it; seconds from a click on "
        f"100 % until the lossless pixels are there. Medians of {options.rounds} rounds, of 48 "
        "megapixels one."
    )
    yield from table(
        "megapixels",
        "first picture (s)",
        "first tiles (s)",
        "full resolution (s)",
        "sliders ready (s)",
        "answer (ms)",
        "scores (ms)",
        "lossless pixels (s)",
    )
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder, path = Path(name), shutil.which("chromium")
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        with page(folder) as (address, _):
            for megapixels, size in SIZES.items():
                write_photo(folder / f"{megapixels}.jpg", *size)
                rounds = [
                    _watched(chromium, address, folder / f"{megapixels}.jpg")
                    for _ in range(options.rounds if megapixels < 48 else 1)
                ]
                medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
                first, tiles, whole, prepared, answered, scored, exact = medians
                yield (
                    f"| {megapixels} | {first:.2f} | {tiles:.2f} | {whole:.2f} | {prepared:.2f} | "
                    f"{answered:.0f} | {scored:.0f} | {exact:.2f} |"
                )
        chromium.close()


def _watched(chromium: Any, address: str, photo: Path) -> tuple[float, ...]:
    """What one person waits for, in a window and a session of its own."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    tab.set_default_timeout(150_000)
    tab.goto(address)
    tab.wait_for_selector("#viewer .dg[data-state=done]")
    time.sleep(1)  # the page is not what is measured
    tab.evaluate(WATCH)
    tab.set_input_files(".dg-file", photo)
    tab.wait_for_function("window.marks.whole")
    tab.wait_for_selector("#viewer .dg[data-state=done]")
    opened = time.perf_counter()
    with tab.expect_response(lambda answer: '"layers"' in (answer.request.post_data or "")):
        tab.click(".dg-more")  # what the sliders need is fetched while a person finds them
    prepared = time.perf_counter() - opened
    scored, answered = tab.evaluate(AMOUNT)
    asked = tab.evaluate("(performance.now() - window.began) / 1000")
    tab.click("[data-zoom='1']")
    tab.wait_for_function("window.marks.exact")
    marks = tab.evaluate("window.marks")
    context.close()
    exact = marks["exact"] - asked
    return marks["first"], marks["tiles"], marks["whole"], prepared, answered, scored, exact

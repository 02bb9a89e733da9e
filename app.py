"""The Gradio page, which is a Space as it stands: layout and wiring.

``python app.py`` serves it on Gradio's usual port; programs call the endpoint ``/enhance``.
A photo goes in as a file and comes out as a file: metadata, bit depth and transparency, which
Gradio's own picture types drop on the way, are the photo's.
"""

import functools
import html
import logging
import re
import secrets
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import skimage.data
from gradio.utils import get_upload_folder
from PIL import Image

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.metrics.similarity import WINDOW, photo_ssim
from dslr_gan.models.phones import PHONES, camera_hint, camera_of
from dslr_gan.photo import (
    copy_photo,
    eight_bits,
    format_note,
    format_to_write,
    is_own_format,
    notes,
    open_photo,
    photo_pixels,
    save_photo,
)

PREVIEW_SIDE = 2048
"""Longest side of the two pictures under the slider; the download keeps every pixel."""

MAX_FILE_SIZE = "100mb"
MAX_WAITING = 20
KEEP_SECONDS = 6 * 3600
"""How long uploads and results stay on the server for someone who has the page open."""

EXAMPLES = ("coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png", "chelsea.png")
"""Photos inside the scikit-image wheel: showing them needs no network."""

EXAMPLE_FOLDER = Path(skimage.data.__file__).parent

ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}

THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="zinc",
    radius_size="lg",
    # The bold cut of the theme's own font lacks most letters in Gradio 6.31.
    font=["system-ui", "sans-serif"],
).set(
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
)

CSS = """
.gradio-container { max-width: 1200px !important; margin: 0 auto !important; }
#title h1 { margin: 0.4rem 0 0; font-size: 1.75rem; line-height: 1.2; }
#title p { margin: 0.25rem 0 0.5rem; font-size: 1.05rem; }
.scores { display: grid; gap: 0.75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); }
.scores > div { border: 1px solid var(--border-color-primary); padding: 0.6rem 0.9rem;
  border-radius: var(--radius-lg); background: var(--background-fill-secondary); }
.scores b { display: block; font-size: 1.5rem; line-height: 1.3; }
.scores span, .facts, #about p { color: var(--body-text-color-subdued); font-size: 0.875rem; }
.facts, .hint { margin: 0.5rem 0 0; overflow-wrap: anywhere; }
.hint { font-size: 0.875rem; padding-left: 0.75rem; border-left: 3px solid var(--color-accent); }
#facts .html-container { padding: 0; }
#photo img, #reference img { line-height: 15rem; text-align: center; } /* only of alt texts */
"""

TITLE = "# dslr_gan\nUpload a phone photo and get back the photo a DSLR would have taken."
ABOUT = (
    "Method: a fully convolutional generator after Prakash and Phumbhra 2020, trained with data "
    "of DPED (Ignatov et al. 2017). The weights are for research use; their model cards say how "
    "each was trained."
)
CAMERAS = " and ".join(phone.camera for phone in PHONES.values())
SHOW_RESULT = """() => { setTimeout(() => document.querySelector("#result")
  .scrollIntoView({block: "nearest", behavior: "smooth"}), 300); }"""
"""On a small screen the result lies below; the wait is for the pictures to take their place."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """One enhanced photo: what is shown, what is downloaded and what is known about it."""

    file: Path
    """The enhanced photo in full resolution, in the format of the upload where that holds it."""
    before: Image.Image
    """The upload as it is displayed: upright, 8-bit sRGB."""
    after: Image.Image
    """The enhanced photo, likewise; same size."""
    details: dict[str, Any]
    """The JSON object that the endpoint returns."""


@functools.cache
def _load(phone: str) -> PhotoEnhancer:
    return PhotoEnhancer.from_pretrained(phone)


_loading = threading.Lock()

_computing = threading.Lock()
"""Gradio lets one call in at a time, but a cancelled one runs on unseen until its end."""


def enhancer_for(phone: Any) -> PhotoEnhancer:
    """Give the enhancer of a phone, loaded at the first call and kept.

    Raises:
        DslrGanError: If the phone is not in the catalogue or its weights cannot be loaded.
    """
    if phone not in tuple(PHONES):
        raise DslrGanError(f"The phone {phone!r} is not known; choose {' or '.join(PHONES)}.")
    with _loading:
        return _load(phone)


def enhance_file(
    photo: Path, phone: Any, strength: Any, reference: Path | None, progress: gr.Progress
) -> Result:
    """Enhance one uploaded photo and measure what was done to it.

    Raises:
        DslrGanError: If the photo cannot be read, or the phone or the strength is not valid. A
            reference that cannot be used is no error: ``details["note"]`` says why.
    """
    if not (isinstance(strength, int | float) and 0 <= strength <= 1):
        raise DslrGanError(f"The strength must be a number from 0 to 1, got {strength!r}.")
    progress(0, desc="Loading the model")
    enhancer = enhancer_for(phone)
    progress(0, desc="Reading the photo")
    source = open_photo(photo)
    with _computing:
        started = time.perf_counter()
        enhanced = enhancer.enhance(
            source,
            strength,
            progress=lambda done, tiles: progress((done, tiles), desc="Enhancing", unit="tiles"),
        )
        seconds = time.perf_counter() - started
    progress(1.0, desc="Saving and measuring")
    file, said = _save(enhanced, photo, source, copy=strength == 0)
    before, after = displayed(source), displayed(enhanced)
    quality, note = _quality(after, reference)
    details = {
        "change_ssim": _ssim(before, after),
        "quality_ssim": quality,
        "source": enhancer.source,
        "phone": phone,
        "strength": strength,
        "width": after.width,
        "height": after.height,
        "seconds": round(seconds, 2),
        "note": note,
        "notes": said,
        "hint": camera_hint(PHONES[phone], camera_of(source)),
    }
    return Result(file, before, after, details)


def _save(
    enhanced: Image.Image, photo: Path, source: Image.Image, *, copy: bool
) -> tuple[Path, list[str]]:
    """Write the result of an upload; with sentences on what of the upload it has not.

    Where nothing was changed the file is copied: encoded again, a lossy one would lose once more.
    """
    kind = format_to_write(source)
    suffix = photo.suffix if photo.suffix.lower()[1:] in kind.suffixes else f".{kind.suffixes[0]}"
    file = _fresh_folder() / f"{photo.stem}_enhanced{suffix}"
    if copy and is_own_format(source, kind):
        copy_photo(photo, file)
        return file, []
    said = [*notes(enhanced), *save_photo(enhanced, file, format=kind.name)]
    if changed := format_note(source, kind):
        said.append(changed)
    return file, list(dict.fromkeys(said))


def displayed(photo: Image.Image) -> Image.Image:
    """Give a photo as a browser shows it: upright, sRGB, 8 bits per channel, mode RGB."""
    return Image.fromarray(eight_bits(photo_pixels(photo).pixels))


def _ssim(first: Image.Image, second: Image.Image) -> float | None:
    """SSIM, or None where the photos are too small for its window."""
    try:
        return round(photo_ssim(first, second), 6)
    except DslrGanError:
        return None


def _quality(enhanced: Image.Image, reference: Path | None) -> tuple[float | None, str | None]:
    """SSIM against the DSLR photo, or a sentence that says why there is none."""
    if reference is None:
        return None, None
    try:
        dslr = displayed(open_photo(reference))
    except DslrGanError as error:
        return None, f"Quality was not measured: {_sentence(error)}"
    if dslr.size != enhanced.size:
        return None, (
            f"Quality was not measured: the DSLR photo is {_size(dslr)} and the phone photo "
            f"{_size(enhanced)}; give one of the same scene in the same size."
        )
    if min(dslr.size) < WINDOW:
        return None, (
            f"Quality was not measured: the photos are {_size(dslr)}; SSIM needs at least "
            f"{WINDOW}×{WINDOW}."
        )
    return _ssim(enhanced, dslr), None


def _size(photo: Image.Image) -> str:
    return f"{photo.width}×{photo.height}"


def _fresh_folder() -> Path:
    """Make a new folder for one result, and remove those that have had their time.

    Gradio removes what it has handed out; the result of a cancelled run is known here only.
    """
    results = Path(get_upload_folder()) / "dslr_gan"
    for old in results.glob("*"):
        with suppress(FileNotFoundError):
            if old.stat().st_mtime < time.time() - KEEP_SECONDS:
                shutil.rmtree(old)
    folder = results / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder


def _sentence(error: DslrGanError) -> str:
    """The error's own words; of an uploaded file its name, not where the server keeps it."""
    return re.sub(re.escape(get_upload_folder()) + r"\S*/", "", str(error))


def _uploaded(value: Any, what: str) -> Path:
    """The path of an upload, which comes as the client sent it, without preprocessing.

    Gradio vouches only for what names itself a file of its own, so the place is checked here:
    nobody is to read other files of the server.
    """
    path = Path(str(value.get("path") or "") if isinstance(value, dict) else "").resolve()
    folders = (Path(get_upload_folder()), EXAMPLE_FOLDER)
    if not any(path.is_relative_to(folder.resolve()) for folder in folders):
        raise DslrGanError(f"There is no {what} yet; upload one first.")
    return path


def _run(photo: Any, phone: Any, strength: Any, reference: Any, progress: gr.Progress) -> Result:
    """Enhance an upload; whatever goes wrong, Gradio shows a sentence and never a traceback."""
    try:
        dslr = _uploaded(reference, "DSLR photo") if reference else None
        return enhance_file(_uploaded(photo, "photo"), phone, strength, dslr, progress)
    except DslrGanError as error:
        raise _shown(_sentence(error)) from error
    except Exception as error:
        logger.exception("Enhancing failed")
        raise _shown("The server failed at this; try again, or try another photo.") from error


def _shown(sentence: str) -> gr.Error:
    return gr.Error(sentence, title="This did not work", print_exception=False)


def enhance(
    photo: Any,
    phone: Any,
    strength: Any,
    reference: Any = None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio knows what to hand in
) -> tuple[str, dict[str, Any]]:
    """Enhance a phone photo: same size, format and metadata, colours and detail of a DSLR.

    The phone is "iphone" or "sony", the strength 0 (as it was) to 1. A DSLR photo of the same
    scene and size may be given as reference. The JSON object has change_ssim (against the
    photo, 1 is identical), quality_ssim (against the reference), source (of the weights), phone,
    strength, width, height, seconds, note where the reference was of no use, notes (sentences on
    what of the photo the result has not), and hint where the photo's EXIF names a camera that the
    model did not learn from.
    """
    result = _run(photo, phone, strength, reference, progress)
    return str(result.file), result.details


def enhance_on_page(
    wanted: bool,
    photo: Any,
    phone: Any,
    strength: Any,
    reference: Any,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
) -> Any:
    """New values for slider, facts and download button; none where the page shows no result."""
    if not wanted:
        return gr.skip()
    result = _run(photo, phone, strength, reference, progress)
    folder = result.file.parent
    pair = (
        _preview(result.before, folder / "before.png"),
        _preview(result.after, folder / "after.png"),
    )
    label = f"Download {_size(result.after)} ({_megabytes(result.file)})"
    return (
        pair,
        gr.HTML(facts_html(result.details), visible=True),
        gr.DownloadButton(label, result.file, visible=True),
    )


def check_on_page(_wanted: bool, photo: Any, *_others: Any) -> list[dict[str, Any]]:
    """Say what is wrong with the photo beside it, before it waits in the queue."""
    good = gr.validate(True, "")
    try:
        open_photo(_uploaded(photo, "photo"))
        verdict = good
    except DslrGanError as error:
        verdict = gr.validate(False, _sentence(error))
    return [good, verdict, *(good for _ in _others)]


def _preview(picture: Image.Image, file: Path) -> str:
    """Write what the slider shows: lossless, small enough for any browser."""
    small = picture.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    small.save(file, compress_level=1)
    return str(file)


def _megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"


def facts_html(details: dict[str, Any]) -> str:
    """The scores and where the weights came from, as a piece of the page."""
    change, quality = details["change_ssim"], details["quality_ssim"]
    scores = [
        ("Change", change, "SSIM against your photo: 1 is identical, lower is more changed."),
        ("Quality", quality, "SSIM against the DSLR photo: 1 is identical, higher is better."),
    ]
    boxes = "".join(
        f"<div><span>{name}</span><b>{score:.4f}</b><span>{meaning}</span></div>"
        for name, score, meaning in scores
        if score is not None
    )
    size = f"{details['width']}×{details['height']}"
    shrunk = max(details["width"], details["height"]) > PREVIEW_SIDE
    lines = [
        *details["notes"],
        details["note"],
        f"Weights: {details['source']}. {size} pixels in {details['seconds']:.1f} s.",
        "Shown scaled down; the download has every pixel." if shrunk else None,
    ]
    facts = "".join(f"<p class='facts'>{html.escape(line)}</p>" for line in lines if line)
    hint = f"<p class='hint'>{html.escape(details['hint'])}</p>" if details["hint"] else ""
    return f"<div class='scores'>{boxes}</div>{hint}{facts}"


def build() -> gr.Blocks:
    """Lay out the page and wire its events."""
    with gr.Blocks(
        title="dslr_gan", analytics_enabled=False, delete_cache=(3600, KEEP_SECONDS)
    ) as page:
        gr.Markdown(TITLE, elem_id="title")
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                photo = _upload("Phone photo", "photo", height=280)
                phone = gr.Radio(
                    [(phone.title, phone.name) for phone in PHONES.values()],
                    value=next(iter(PHONES)),
                    label="Phone",
                    info=f"Made for the {CAMERAS}. Another phone? Try both.",
                    elem_id="phone",
                )
                strength = gr.Slider(0, 1, value=1, step=0.05, label="Strength", elem_id="strength")
                button = gr.Button("Enhance", variant="primary", elem_id="enhance")
            with gr.Column(scale=7, min_width=300):
                slider = gr.ImageSlider(
                    label="Before | after: drag to compare",
                    format="png",
                    buttons=["fullscreen"],
                    interactive=False,
                    elem_id="result",
                )
                facts = gr.HTML(visible=False, elem_id="facts")
                download = gr.DownloadButton(visible=False, elem_id="download")
                with gr.Accordion("Measure quality with a DSLR photo", open=False, elem_id="dslr"):
                    reference = _upload(
                        "DSLR photo of the same scene, same size", "reference", height=220
                    )
        gr.Examples(
            [str(EXAMPLE_FOLDER / name) for name in EXAMPLES],
            photo,
            label="No photo at hand? Take one of these",
            cache_examples=False,
            api_visibility="private",
            elem_id="examples",
        )
        gr.Markdown(ABOUT, elem_id="about")
        inputs = [photo, phone, strength, reference]
        _wire_page(button, inputs, [slider, facts, download])
        _add_endpoint(inputs)
    return page


def _upload(label: str, name: str, height: int) -> gr.Image:
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        buttons=["fullscreen"],
        alt_text="Your photo",
        height=height,
        elem_id=name,
    )


def _wire_page(button: gr.Button, inputs: list[Any], outputs: list[Any]) -> None:
    """Enhance at a click; again at a change, where there is a result to bring up to date."""
    photo, phone, strength, reference = inputs
    slider = outputs[0]
    yes, wanted = gr.State(True), gr.State(False)
    shared: dict[str, Any] = {
        "outputs": outputs,
        "show_progress_on": slider,
        "preprocess": False,
        "api_visibility": "private",
        **ONE_AT_A_TIME,
    }
    button.click(lambda: True, None, wanted, queue=False, api_visibility="private")
    first = button.click(enhance_on_page, [yes, *inputs], validator=check_on_page, **shared)
    first.success(None, js=SHOW_RESULT)
    again = gr.on(
        [strength.release, phone.change, reference.change],
        enhance_on_page,
        [wanted, *inputs],
        trigger_mode="always_last",
        **shared,
    )
    photo.change(
        lambda: (False, None, gr.HTML(visible=False), gr.DownloadButton(visible=False)),
        None,
        [wanted, *outputs],
        queue=False,
        cancels=[first, again],
        api_visibility="private",
    )


def _add_endpoint(inputs: list[Any]) -> None:
    """The one public endpoint: a file and a JSON object, through parts the page does not show."""
    outputs = [
        gr.File(label="Enhanced photo", visible=False),
        gr.JSON(label="Scores and source of the weights", visible=False),
    ]
    gr.Button(visible=False).click(
        enhance, inputs, outputs, preprocess=False, api_name="enhance", **ONE_AT_A_TIME
    )


def main() -> None:
    """Serve the page until it is stopped."""
    page = build().queue(max_size=MAX_WAITING)
    page.launch(
        theme=THEME,
        css=CSS,
        max_file_size=MAX_FILE_SIZE,
        footer_links=["api", "gradio", "settings"],
        run_history=False,
    )


if __name__ == "__main__":
    main()

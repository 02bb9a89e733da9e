"""What the page and its endpoint do with an upload."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from jinja2 import Environment
from PIL import Image

from dslr_gan.enhance.photo_file import enhance_file
from dslr_gan.errors import DslrGanError
from dslr_gan.metrics.similarity import WINDOW, photo_ssim
from dslr_gan.models.phones import PHONES, camera_hint
from dslr_gan.page.cancelled import is_cancelled
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.uploads import fresh_folder, message_of, uploaded
from dslr_gan.photo import eight_bits, open_photo, photo_pixels

PREVIEW_SIDE = 2048
"""Longest side of the two pictures under the slider; the download keeps every pixel."""

FACTS = Environment(autoescape=True).from_string(
    Path(__file__).with_name("facts.html").read_text(encoding="utf-8")
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Enhanced:
    """One enhanced upload: what is shown, what is downloaded and what is known about it."""

    file: Path
    """The enhanced photo in full resolution, in the format of the upload where that holds it."""
    before: Image.Image
    """The upload as it is displayed: upright, 8-bit sRGB."""
    after: Image.Image
    """The enhanced photo, likewise; same size."""
    details: dict[str, Any]
    """The JSON object that the endpoint returns."""


_computing = threading.Lock()
"""Gradio lets one call in at a time, but a cancelled one runs on unseen until its tile's end."""


def enhance_upload(
    photo: Path, phone: Any, strength: Any, reference: Path | None, progress: gr.Progress
) -> Enhanced:
    """Enhance one uploaded photo and measure what was done to it.

    Raises:
        DslrGanError: If the photo cannot be read, the phone or the strength is not valid, or the
            call was cancelled. A reference that cannot be used is no error:
            ``details["note"]`` says why.
    """
    if not (isinstance(strength, int | float) and 0 <= strength <= 1):
        raise DslrGanError(f"The strength must be a number from 0 to 1, got {strength!r}.")
    progress(0, desc="Loading the model")
    enhancer = enhancer_for(phone)
    progress(0, desc="Reading the photo")

    def tile_done(done: int, tiles: int) -> None:
        _stop_if_cancelled()  # or the next person would wait for a result that nobody wants
        progress((done, tiles), desc="Enhancing", unit="tiles")

    with _computing:
        _stop_if_cancelled()
        result = enhance_file(
            enhancer,
            photo,
            fresh_folder() / f"{photo.stem}_enhanced{photo.suffix}",
            strength=strength,
            progress=tile_done,
        )
    _stop_if_cancelled()
    progress(1.0, desc="Saving and measuring")
    # The scores are of the file that is downloaded.
    before, after = displayed(open_photo(photo)), displayed(open_photo(result.file))
    quality, note = _quality(after, reference)
    details = {
        "change_ssim": _ssim(before, after),
        "quality_ssim": quality,
        "source": result.model,
        "phone": phone,
        "strength": strength,
        "width": result.width,
        "height": result.height,
        "seconds": round(result.seconds, 2),
        "note": note,
        "notes": list(result.notes),
        "hint": camera_hint(PHONES[phone], result.camera),
    }
    return Enhanced(result.file, before, after, details)


def _stop_if_cancelled() -> None:
    if is_cancelled():
        raise DslrGanError("This was cancelled; press Enhance to start again.")


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
    """SSIM against the DSLR photo, or a note that says why there is none."""
    if reference is None:
        return None, None
    try:
        dslr = displayed(open_photo(reference))
    except DslrGanError as error:
        return None, f"Quality was not measured: {message_of(error)}"
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


def _run(photo: Any, phone: Any, strength: Any, reference: Any, progress: gr.Progress) -> Enhanced:
    """Enhance an upload; whatever goes wrong, Gradio shows a message and never a traceback."""
    try:
        dslr = uploaded(reference, "DSLR photo") if reference else None
        return enhance_upload(uploaded(photo, "photo"), phone, strength, dslr, progress)
    except DslrGanError as error:
        raise _error(message_of(error)) from error
    except Exception as error:
        logger.exception("Enhancing failed")
        raise _error("The server failed at this; try again, or try another photo.") from error


def _error(message: str) -> gr.Error:
    return gr.Error(message, title="This did not work", print_exception=False)


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
    strength, width, height, seconds, note where the reference could not be used, notes (what the
    photo has and the result does not), and hint where the photo's EXIF names a camera that the
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
        preview(result.before, folder / "before.png"),
        preview(result.after, folder / "after.png"),
    )
    megabytes = result.file.stat().st_size / 1e6
    label = f"Download {_size(result.after)} ({megabytes:.1f} MB)"
    return (
        pair,
        gr.HTML(facts_html(result.details), visible=True),
        gr.DownloadButton(label, result.file, visible=True),
    )


def check_on_page(_wanted: bool, photo: Any, *_others: Any) -> list[dict[str, Any]]:
    """Say what is wrong with the photo beside it, before it waits in the queue."""
    good = gr.validate(True, "")
    try:
        open_photo(uploaded(photo, "photo"))
        verdict = good
    except DslrGanError as error:
        verdict = gr.validate(False, message_of(error))
    return [good, verdict, *(good for _ in _others)]


def preview(picture: Image.Image, file: Path) -> str:
    """Write what the slider shows: lossless, small enough for any browser."""
    small = picture.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    small.save(file, compress_level=1)
    return str(file)


def facts_html(details: dict[str, Any]) -> str:
    """Give the scores and the source of the weights as a part of the page."""
    change, quality = details["change_ssim"], details["quality_ssim"]
    size = f"{details['width']}×{details['height']}"
    is_shrunk = max(details["width"], details["height"]) > PREVIEW_SIDE
    return FACTS.render(
        scores=[
            ("Change", change, "SSIM against your photo: 1 is identical, lower is more changed."),
            ("Quality", quality, "SSIM against the DSLR photo: 1 is identical, higher is better."),
        ],
        hint=details["hint"],
        lines=[
            *details["notes"],
            details["note"],
            f"Weights: {details['source']}. {size} pixels in {details['seconds']:.1f} s.",
            "Shown scaled down; the download has every pixel." if is_shrunk else None,
        ],
    )

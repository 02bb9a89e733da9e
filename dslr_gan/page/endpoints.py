"""What programs call: ``/enhance``, ``/compare`` and ``/enhance_many``, also as tools of MCP."""

import importlib.util
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.enhance.photo_file import enhance_file
from dslr_gan.errors import DslrGanError
from dslr_gan.metrics.similarity import WINDOW
from dslr_gan.models.phones import AUTO, PHONES, camera_hint
from dslr_gan.page.guard import guard
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.uploads import message_of, own_upload_folder, uploaded
from dslr_gan.page.work import many, photo_run
from dslr_gan.page.work import reference as references
from dslr_gan.page.work.admission import LINE, MAX_WAITING
from dslr_gan.page.work.jobs import Job, Step, steps_of
from dslr_gan.page.work.kept import folder_for, uses
from dslr_gan.page.work.look import MAX_FILE_MB, MAX_MEGAPIXELS, look
from dslr_gan.page.work.scores import file_ssim

WAITING_CALLS = MAX_WAITING + 8
"""Calls that Gradio lets in at once: those that wait in our line, which is bounded, and a few that
are told to come back."""

MAX_THREADS = WAITING_CALLS + 24
"""A thread for each, and some for what does not wait."""

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def enhance(  # noqa: D417 - Gradio hands in the last two
    photo: Any,
    phone: Any = "iphone",
    strength: Any = 1.0,
    reference: Any = None,
    request: gr.Request | None = None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio knows what to hand in
) -> tuple[str, dict[str, Any]]:
    """Enhance a phone photo: same size, format and metadata, colours and detail of a DSLR.

    Args:
        photo: A phone photo as a file: JPEG, PNG, WebP, TIFF, HEIC or AVIF.
        phone: Whose photos the model learned from: "iphone" or "sony".
        strength: From 0, the photo as it is, to 1, all that the model does.
        reference: A DSLR photo of the same scene and size, to measure the quality with; optional.

    Returns:
        The enhanced photo as a file; and a JSON object with change_ssim (against the photo, 1 is
        identical), quality_ssim (against the reference), source (of the weights), phone, strength,
        width, height, seconds, note (why the reference could not be used), notes (what the photo
        has and the result does not), and hint (where the EXIF names a camera that the model did
        not learn from).
    """

    def work() -> tuple[str, dict[str, Any]]:
        amounts = Amounts(strength)
        file = uploaded(photo, "photo")
        dslr = uploaded(reference, "DSLR photo") if reference else None
        facts, found = look(file), dict[str, Any]()
        session = _session(request)

        def in_line(job: Job) -> None:
            with LINE.place(session, facts["megapixels"]) as ticket:
                job.wait(LINE, ticket)
                found.update(_enhanced(job, session, file, phone, amounts, dslr))

        for step in steps_of(session, "endpoint", in_line, alone=False):
            _show(progress, step)
        return str(found.pop("file")), found

    return _answer(work)


def compare(  # noqa: D417 - Gradio hands in the last two
    photo: Any,
    reference: Any,
    phone: Any = "iphone",
    strength: Any = 1.0,
    request: gr.Request | None = None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
) -> tuple[str, dict[str, Any]]:
    """Measure how much nearer to a DSLR photo of the same scene enhancing brings a phone photo.

    The DSLR photo may have any size and framing: it is aligned with the phone photo, and the scores
    are over what both show.

    Args:
        photo: A phone photo as a file.
        reference: A DSLR photo of the same scene as a file.
        phone: Whose photos the model learned from: "iphone" or "sony".
        strength: From 0, the photo as it is, to 1, all that the model does.

    Returns:
        The DSLR photo as it lies over the phone photo, a JPEG, black where it shows nothing; and a
        JSON object with phone, enhanced and gain (psnr in dB, ssim, ms_ssim each), overlap (the
        part of the phone photo that both show), polygon (its corners, as parts of width and
        height), zoom (DSLR pixels for one of the phone's), measured (width and height) and source
        (of the weights).
    """

    def work() -> tuple[str, dict[str, Any]]:
        amounts, session = Amounts(strength), _session(request)
        file, dslr = uploaded(photo, "photo"), uploaded(reference, "DSLR photo")
        look(dslr)
        enhanced = _last(progress, photo_run.enhance_photo(file, [phone], session, alone=False))
        found = _last(progress, references.compare(enhanced["result"], session, dslr, alone=False))
        scores = {
            name: _at(found["strengths"], values, amounts.strength)
            for name, values in found["enhanced"].items()
        }
        gain = {name: round(score - found["phone"][name], 5) for name, score in scores.items()}
        told = ("overlap", "polygon", "zoom", "measured")
        return found["picture"], {
            "phone": found["phone"],
            "enhanced": scores,
            "gain": gain,
            **{name: found[name] for name in told},
            "source": enhanced["source"],
        }

    return _answer(work)


def enhance_many(  # noqa: D417 - Gradio hands in the last two
    photos: Any,
    phone: Any = "auto",
    strength: Any = 1.0,
    request: gr.Request | None = None,
    progress: gr.Progress = gr.Progress(),  # noqa: B008
) -> tuple[str | None, list[dict[str, Any]]]:
    """Enhance many phone photos, also in zip files, into one zip; a bad one is listed with why.

    Args:
        photos: Files: photos and zips of photos.
        phone: Whose photos the model learned from: "iphone", "sony", or "auto", which chooses by
            the maker of each photo's camera.
        strength: From 0, the photos as they are, to 1, all that the model does.

    Returns:
        A zip with the enhanced photos, their names, folders, formats and metadata kept; and a JSON
        list with, for each file, name, status ("enhanced", "failed" or "left out"), reason, notes,
        width and height.
    """

    def work() -> tuple[str | None, list[dict[str, Any]]]:
        files = photos if isinstance(photos, list) else [photos] if photos else []
        given = [uploaded(file, "photo") for file in files]
        run = many.enhance_many(given, str(phone), _session(request), strength, alone=False)
        done = _last(progress, run)
        told = ("name", "status", "reason", "notes", "width", "height")
        return done["zip"], [{key: item[key] for key in told} for item in done["items"]]

    return _answer(work)


def add_endpoints() -> None:
    """Add the endpoints, through parts that the page does not show: to be called inside Blocks."""
    phones = [(phone.title, phone.name) for phone in PHONES.values()]
    with gr.Group(visible=False):
        photo = gr.Image(label="Phone photo", type="filepath")
        dslr = gr.Image(label="DSLR photo of the same scene", type="filepath")
        phone = gr.Radio(phones, value=next(iter(PHONES)), label="Phone")
        any_phone = gr.Radio([*phones, ("By EXIF", AUTO)], value=AUTO, label="Phone")
        strength = gr.Slider(0, 1, value=1, step=0.05, label="Strength")
        photos = gr.File(label="Photos and zips", file_count="multiple")
        enhanced = gr.File(label="Enhanced photo")
        facts = gr.JSON(label="Scores and source of the weights")
        laid_over = gr.File(label="The DSLR photo as it lies over the phone photo")
        scores = gr.JSON(label="Scores over what both show")
        archive = gr.File(label="The enhanced photos")
        items = gr.JSON(label="What became of each file")
        _endpoint(enhance, [photo, phone, strength, dslr], [enhanced, facts])
        _endpoint(compare, [photo, dslr, phone, strength], [laid_over, scores])
        _endpoint(enhance_many, [photos, any_phone, strength], [archive, items])


def _endpoint(function: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> None:
    gr.Button(visible=False).click(
        function,
        inputs,
        outputs,
        preprocess=False,
        api_name=function.__name__,
        concurrency_limit=WAITING_CALLS,
        concurrency_id="model",
    )


def launch_options() -> dict[str, Any]:
    """What ``Blocks.launch`` is told, to be safe with strangers; call it before anything else."""
    own_upload_folder()
    return {
        "max_file_size": f"{MAX_FILE_MB}mb",
        "max_threads": MAX_THREADS,
        "mcp_server": importlib.util.find_spec("mcp") is not None,
        "app_kwargs": {"middleware": guard()},
    }


# Running -------------------------------------------------------------------------------------


def _session(request: gr.Request | None) -> str:
    """Whose the files are; who names no session gets one of its own, which lasts some hours."""
    return str(getattr(request, "session_hash", None) or f"program-{secrets.token_hex(8)}")


def _answer(work: Callable[[], Result]) -> Result:
    """Do work; whatever goes wrong, a program gets a message, and the log one line."""
    try:
        return work()
    except DslrGanError as error:
        logger.warning("refused: %s", message_of(error))
        raise _error(message_of(error)) from error
    except Exception as error:
        logger.exception("A call failed")
        raise _error("The server failed at this; try again, or try another photo.") from error


def _error(message: str) -> gr.Error:
    return gr.Error(message, title="This did not work", print_exception=False)


def _last(progress: gr.Progress, steps: Any) -> Step:
    """Show the steps of some work and give the last one."""
    step: Step = {}
    for step in steps:
        _show(progress, step)
    return step


def _show(progress: gr.Progress, step: Step) -> None:
    match step["state"]:
        case "waiting":
            progress(0, desc=f"{step['position']}. in line, about {step['seconds']:.0f} s")
        case "enhancing":
            progress((step["done"], step["tiles"]), desc="Enhancing", unit="tiles")
        case "aligning":
            progress((step["done"], step["steps"]), desc=step["says"], unit="steps")
        case "working":
            progress((step["done"], step["total"]), desc=step["photo"], unit="photos")


def _at(strengths: list[float], values: list[float], strength: float) -> float:
    """A score between two strengths of a table."""
    place = strength * (len(strengths) - 1)
    low = min(int(place), len(strengths) - 2)
    return round(values[low] + (place - low) * (values[low + 1] - values[low]), 5)


# /enhance ------------------------------------------------------------------------------------


def _enhanced(
    job: Job, session: str, photo: Path, phone: Any, amounts: Amounts, reference: Path | None
) -> dict[str, Any]:
    """Enhance one photo into a file and measure what was done to it."""
    uses(session, photo)

    def tile_done(done: int, tiles: int) -> None:
        job.check()
        job.tell("enhancing", done=done, tiles=tiles)

    result = enhance_file(
        enhancer_for(phone),
        photo,
        folder_for(session) / f"{photo.stem}_enhanced{photo.suffix}",
        strength=amounts.strength,
        max_megapixels=MAX_MEGAPIXELS,
        progress=tile_done,
    )
    job.check()
    # The scores are of the file that is downloaded.
    if result.copied:
        change = 1.0 if min(result.width, result.height) >= WINDOW else None
    else:
        change, _ = file_ssim(photo, result.file)
    job.check()
    quality, note = _quality(result.file, reference)
    return {
        "file": result.file,
        "change_ssim": change,
        "quality_ssim": quality,
        "source": result.model,
        "phone": phone,
        "strength": amounts.strength,
        "width": result.width,
        "height": result.height,
        "seconds": round(result.seconds, 2),
        "note": note,
        "notes": list(result.notes),
        "hint": camera_hint(PHONES[phone], result.camera),
    }


def _quality(enhanced: Path, reference: Path | None) -> tuple[float | None, str | None]:
    """SSIM against the DSLR photo, or a note that says why there is none."""
    if reference is None:
        return None, None
    try:
        score, (dslr, phone) = file_ssim(reference, enhanced)
    except DslrGanError as error:
        return None, f"Quality was not measured: {message_of(error)}"
    if dslr != phone:
        return None, (
            f"Quality was not measured: the DSLR photo is {_size(dslr)} and the phone photo "
            f"{_size(phone)}; give one of the same scene in the same size, or call /compare."
        )
    if score is None:
        return None, (
            f"Quality was not measured: the photos are {_size(dslr)}; SSIM needs at least "
            f"{WINDOW}×{WINDOW}."
        )
    return score, None


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"

"""One photo for the page: a small picture at once, then every pixel, tile by tile."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.naming import choose_format, fitting_name
from dslr_gan.errors import DslrGanError
from dslr_gan.models.context import SUMMARY_SIDE, summarize_in_parts
from dslr_gan.models.phones import PHONES, camera_hint, camera_of
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.uploads import removed_at_errors
from dslr_gan.page.work.admission import LENT, LINE, on_gpu
from dslr_gan.page.work.jobs import Job, Step, steps_of, stop
from dslr_gan.page.work.kept import Kept, ResultWriter, keep, uses
from dslr_gan.page.work.look import MAX_MEGAPIXELS, look
from dslr_gan.page.work.pictures import Pictures, drafted_picture, save_picture, small_picture
from dslr_gan.page.work.scores import change_table
from dslr_gan.photo import (
    InMemoryWriter,
    PhotoPixels,
    format_note,
    notes,
    open_photo_in_parts,
    photo_pixels,
    to_tensor,
)

__all__ = ["enhance_photo", "stop"]

SMALL_QUALITY = 85
"""Of the first pictures, which are soon replaced."""

DEVELOPS_FROM = 4.0
"""Megapixels from which a person sees finished tiles beside the small picture."""

SUMMARY_ROWS = 16
"""Rows of each cell of a photo's summary that an estimate of it reads."""


def enhance_photo(
    photo: Path, phones: Sequence[str], session: str, *, alone: bool = True
) -> Iterator[Step]:
    """Enhance one photo with the models of one or several phones.

    Args:
        photo: The upload.
        phones: Names of the catalogue.
        session: Whose it is.
        alone: Whether a photo that the session has in work is stopped.

    Yields:
        Dictionaries that JSON can hold, each with its ``state``: ``waiting`` (``position``,
        ``seconds``), ``reading``, ``original`` (``width``, ``height``, ``before``, ``name``); then
        for each ``phone`` ``preview`` (``after``: the file of a small picture); then for each once
        more, of a large photo, in the tones of the tiles that follow; ``enhancing`` (``done``,
        ``tiles``, ``seconds_left``) and ``done``, with the files of pictures of every pixel,
        ``before`` and ``after``, the ``result`` by which ``kept.find`` knows it, its facts and its
        ``scores``.

    Raises:
        DslrGanError: If the photo or a phone is no good, too many people wait, or it was stopped.
    """
    if not phones:
        raise DslrGanError("No phone was chosen; choose one.")
    for phone in phones:
        enhancer_for(phone)
    facts = look(photo)
    uses(session, photo)

    def work(job: Job) -> None:
        with LINE.place(session, facts["megapixels"] * len(phones)) as ticket:
            job.wait(LINE, ticket)
            job.tell("reading")
            _enhance(job, photo, facts, list(dict.fromkeys(phones)))

    return steps_of(session, "photo", work, alone=alone)


def _enhance(job: Job, photo: Path, seen: dict[str, Any], phones: Sequence[str]) -> None:
    """Do all of it, in a folder for each phone, which is removed if anything goes wrong."""
    enhancers = {phone: enhancer_for(phone) for phone in phones}
    with ExitStack() as work:
        folders = {phone: work.enter_context(removed_at_errors()) for phone in phones}
        whole = open_photo_in_parts(photo, max_megapixels=MAX_MEGAPIXELS)
        opened: Image.Image | None = None
        small = drafted_picture(photo)
        if small is None:
            opened = work.enter_context(whole)
            small = small_picture(photo_pixels(opened))
        _first_pictures(job, photo, seen, small, enhancers, folders)
        opened = opened or work.enter_context(whole)
        pixels = photo_pixels(opened)
        facts = _facts(opened, photo, pixels)
        pictures: Pictures | None = None
        for phone, enhancer in enhancers.items():
            started = time.perf_counter()
            folder = folders[phone]
            if toned := _in_the_tones_of(pixels, small, enhancer):
                shown = save_picture(toned, folder / "small_toned.jpg", SMALL_QUALITY)
                job.tell("preview", phone=phone, after=str(shown))
            _run_network(job, phone, photo, pixels, folder / "levels.npy")
            pictures = pictures or Pictures(pixels)
            before = save_picture(pictures.before, folder / "before.jpg")
            job.check()
            enhanced = pictures.of(np.load(folder / "levels.npy", mmap_mode="r"))
            after = save_picture(enhanced, folder / "after.jpg")
            job.check()
            scores = change_table(pictures.before, enhanced)
            kept = Kept(
                *(secrets.token_hex(16), job.session, phone, photo, folder),
                *(pixels.width, pixels.height, folder / "levels.npy", before, after),
            )
            keep(kept)
            job.tell(
                "done",
                phone=phone,
                result=kept.token,
                before=str(before),
                after=str(after),
                width=pixels.width,
                height=pixels.height,
                shown=[enhanced.shape[1], enhanced.shape[0]],
                source=enhancer.source,
                hint=camera_hint(PHONES[phone], camera_of(opened)),
                seconds=round(time.perf_counter() - started, 2),
                scores=scores,
                **facts,
            )


def _first_pictures(
    job: Job,
    photo: Path,
    seen: dict[str, Any],
    small: Image.Image,
    enhancers: dict[str, PhotoEnhancer],
    folders: dict[str, Path],
) -> None:
    """Tell of the photo, and of a small result of each phone, before anything large is done."""
    first = next(iter(folders.values()))
    shown = save_picture(small, first / "small_before.jpg", SMALL_QUALITY)
    size = {"width": seen["width"], "height": seen["height"]}
    job.tell("original", **size, before=str(shown), name=photo.name)
    for phone, enhancer in enhancers.items():
        job.check()
        after = save_picture(enhancer.enhance(small), folders[phone] / "small.jpg", SMALL_QUALITY)
        job.tell("preview", phone=phone, after=str(after))


def _in_the_tones_of(
    pixels: PhotoPixels, small: Image.Image, enhancer: PhotoEnhancer
) -> Image.Image | None:
    """Enhance the small picture in the tones that the tiles of the whole photo will have.

    A network that is told of the whole photo by its summary takes a shrunk one, which has other
    detail, for another photo: pictures of real phones came out up to 14 levels brighter or darker
    than their tiles, and with the photo's own summary within 1.

    Args:
        pixels: The whole photo.
        small: It, shrunk.
        enhancer: Enhances both.

    Returns:
        The result; None where nobody would see the two beside each other, or they do not differ.
    """
    network = enhancer.generator
    is_seen = pixels.width * pixels.height >= DEVELOPS_FROM * 1e6 and not LENT
    has_rows = pixels.height >= 2 * SUMMARY_SIDE * SUMMARY_ROWS
    if not (network.uses_context and is_seen and has_rows):
        return None
    own = photo_pixels(small)
    writer = InMemoryWriter(own)
    everything = slice(0, own.height), slice(0, own.width)
    with torch.inference_mode():
        context = network.context(_summary_of(pixels).to(enhancer.device))
        made = network(to_tensor(own.read(*everything)).to(enhancer.device), context)
        writer.paint(*everything, made[0].permute(1, 2, 0).cpu().numpy())
    return writer.photo()


def _summary_of(pixels: PhotoPixels) -> torch.Tensor:
    """What the network is told of a whole photo, nearly: of some rows of each of its cells.

    They are summarised as if they were all of the photo, whose rows they have a part of each.
    """

    def read(rows: slice, columns: slice) -> torch.Tensor:
        cell, row = divmod(rows.start, SUMMARY_ROWS)
        top = cell * pixels.height // SUMMARY_SIDE + row
        return to_tensor(pixels.read(slice(top, top + rows.stop - rows.start), columns))

    return summarize_in_parts(read, SUMMARY_SIDE * SUMMARY_ROWS, pixels.width)


def _facts(opened: Image.Image, photo: Path, pixels: PhotoPixels) -> dict[str, Any]:
    """What is known of a photo and its download, whatever the model."""
    kind, _ = choose_format(opened, photo, photo)
    told = [*notes(pixels), format_note(opened, kind)]
    return {
        "camera": str(camera_of(opened)),
        "notes": [note for note in dict.fromkeys(told) if note],
        "download": {"name": fitting_name(Path(photo.name), kind).name, "format": kind.name},
    }


def _run_network(job: Job, phone: str, photo: Path, pixels: PhotoPixels, file: Path) -> None:
    """Run the network once, over every pixel, and keep what it makes."""
    if LENT:
        job.tell("enhancing", phone=phone, done=0, tiles=1, seconds_left=None)
        _on_lent_gpu(phone, str(photo), str(file))
        return
    started = time.perf_counter()

    def tile_done(done: int, tiles: int) -> None:
        job.check()
        left = (time.perf_counter() - started) / done * (tiles - done)
        job.tell("enhancing", phone=phone, done=done, tiles=tiles, seconds_left=round(left, 1))

    writer = ResultWriter(pixels, file)
    enhancer_for(phone).enhance_pixels(pixels, writer, Amounts(), tile_done)


@on_gpu
def _on_lent_gpu(phone: str, photo: str, file: str) -> None:
    """The same in the process that a ZeroGPU Space lends a GPU to, which gets names alone."""
    with open_photo_in_parts(photo, max_megapixels=MAX_MEGAPIXELS) as opened:
        pixels = photo_pixels(opened)
        enhancer = PhotoEnhancer.from_pretrained(phone)
        enhancer.enhance_pixels(pixels, ResultWriter(pixels, Path(file)), Amounts())

"""Many photos: one after the other, in turns with other people, into one zip."""

import logging
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.inputs import Photo
from dslr_gan.enhance.photo_file import enhance_file
from dslr_gan.enhance.planning import plan
from dslr_gan.enhance.running.memory import lacks_memory
from dslr_gan.errors import DslrGanError, shown
from dslr_gan.models.phones import AUTO, DEFAULT, Camera
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.uploads import message_of
from dslr_gan.page.work.admission import LINE
from dslr_gan.page.work.jobs import Job, Step, steps_of
from dslr_gan.page.work.kept import folder_for, uses
from dslr_gan.page.work.look import MAX_MEGAPIXELS, look
from dslr_gan.page.work.pictures import drafted_picture, save_picture, small_picture
from dslr_gan.page.work.unpacking import MAX_PHOTOS, Entry, Room, is_zip, unpack
from dslr_gan.photo import open_photo_in_parts, photo_pixels

SMALL_SIDE = 960
"""Longest side of the pictures of the gallery, in pixels."""

SMALLEST_WORK = 0.25
"""Megapixels that take as long as what is done for a photo of any size."""

logger = logging.getLogger(__name__)


def enhance_many(
    files: Sequence[Path],
    phone: str,
    session: str,
    strength: Any = 1.0,
    colour: Any = 1.0,
    detail: Any = 1.0,
    *,
    alone: bool = True,
) -> Iterator[Step]:
    """Enhance many photos, some of them in zips, into one zip.

    A photo that cannot be enhanced is listed with the reason, and the others go on.

    Args:
        files: Uploads: photos and zips.
        phone: A name of the catalogue, or ``auto``.
        session: Whose they are.
        strength: From 0 to 1, as in ``enhance_file``.
        colour: Likewise.
        detail: Likewise.
        alone: Whether what the session has in work already is stopped.

    Yields:
        Dictionaries that JSON can hold, each with its ``state``: ``unpacking``; ``listed``, with
        the ``items`` of what is no photo; ``waiting`` (``position``, ``seconds``); ``working``
        (``photo``), ``item`` (``item``), both with ``done``, ``total``, ``failed``, and, by the
        photos' megapixels, ``share`` and ``seconds_left``; and at last ``done``, with all
        ``items``, the ``zip`` (None where nothing was enhanced), its ``bytes``, ``enhanced``,
        ``failed`` and ``stopped``. Each item has ``name`` (with its folders), ``status``
        (``enhanced``, ``failed``, ``left out``), ``reason``, ``notes``, ``before`` and ``after``
        (files of small pictures), ``width`` and ``height``.

    Raises:
        DslrGanError: If there is no photo at all, a value is out of range, or too many people
            wait.
    """
    amounts = Amounts(strength, colour, detail)
    if not files:
        raise DslrGanError("There are no photos yet; upload some first.")
    if len(files) > MAX_PHOTOS:
        raise DslrGanError(
            f"These are {len(files)} files, and the page takes {MAX_PHOTOS} photos at once; upload "
            "the others later."
        )
    if phone != AUTO:
        enhancer_for(phone)
    for file in files:
        uses(session, file)

    def work(job: Job) -> None:
        _Many(job, files, phone, amounts, folder_for(session)).run()

    return steps_of(session, "many", work, alone=alone)


@dataclass
class _Many:
    """The work on many photos."""

    job: Job
    files: Sequence[Path]
    phone: str
    amounts: Amounts
    folder: Path
    items: list[dict[str, Any]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    """How much work each photo is."""
    tried: int = 0
    """So many photos are done, well or badly."""
    seconds: float = 0.0
    """Spent on them."""

    def run(self) -> None:
        """Do all of it."""
        self.job.tell("unpacking")
        entries = self._entries()
        good = [entry for entry in entries if entry.file is not None]
        self.weights = [self._weight(entry.file) for entry in good if entry.file]
        for entry in entries:
            if entry.file is None:
                status = "left out" if entry.left_out else "failed"
                self.items.append(_item(entry.place, status, entry.reason))
        self._tell("listed", items=list(self.items))
        out = self.folder / "results"
        photos = [Photo(entry.file, Path(entry.place)) for entry in good if entry.file]
        places = [job.destination.relative_to(out) for job in plan(photos, out)]
        archive = self.folder / f"dslr_gan_{self.phone}_{self.amounts.strength * 100:.4g}.zip"
        stopped = False
        with zipfile.ZipFile(archive, "w", strict_timestamps=False) as made:
            for number, (entry, place) in enumerate(zip(good, places, strict=True)):
                assert entry.file is not None
                if self.job.is_stopped:
                    stopped = True
                    break
                began = time.perf_counter()
                item, result = self._enhance(number, entry.file, entry.place, out / place)
                if self.job.is_stopped and result is None:
                    stopped = True
                    break
                self.seconds += time.perf_counter() - began
                self.tried += 1
                if result is not None:
                    made.write(result, str(PurePosixPath(place.parent, result.name)))
                    result.unlink()
                self._remove(entry.file)
                self._list(item)
        for entry in good:
            if entry.file is not None:
                self._remove(entry.file)
        enhanced = self._count("enhanced")
        size = archive.stat().st_size
        if not enhanced:
            archive.unlink()
        self.job.tell(
            "done",
            items=self.items,
            zip=str(archive) if enhanced else None,
            bytes=size,  # of the zip
            enhanced=enhanced,
            failed=self._count("failed"),
            stopped=stopped,
        )

    def _entries(self) -> list[Entry]:
        """All that was handed in, one by one, the zips unpacked."""
        room, entries = Room(), list[Entry]()
        for number, file in enumerate(self.files):
            self.job.check()
            if not is_zip(file):
                room.photos -= 1
                many = f"The page takes {MAX_PHOTOS} photos at once; upload it later."
                fits = room.photos >= 0
                place = PurePosixPath(file.name)
                entries.append(Entry(place, file if fits else None, "" if fits else many))
                continue
            inside = self.folder / "unpacked" / str(number)
            inside.mkdir(parents=True)
            found = len(entries)
            try:
                entries += unpack(file, inside, room)
                if len(entries) == found:
                    raise DslrGanError(f"{shown(file.name)} holds no photos; put some into it.")
            except DslrGanError as error:
                entries.append(Entry(PurePosixPath(file.name), None, message_of(error)))
        return entries

    def _enhance(
        self, number: int, photo: Path, place: PurePosixPath, wanted: Path
    ) -> tuple[dict[str, Any], Path | None]:
        """Enhance one photo: its item, and the result's file where there is one."""
        folder = self.folder / str(number)
        try:
            facts = look(photo)
            with LINE.place(self.job.session, facts["megapixels"], again=number > 0) as ticket:
                self.job.wait(LINE, ticket)
                return self._enhance_now(photo, place, folder / wanted.name)
        except DslrGanError as error:
            words = message_of(error).replace(shown(photo), shown(str(place)))
            return _item(place, "failed", words.replace(shown(photo.name), shown(place.name))), None
        except Exception as error:  # the others go on
            logger.exception("A photo of many failed")
            words = (
                "There is not enough memory for it."
                if lacks_memory(error)
                else ("The server failed at it; try it by itself.")
            )
            return _item(place, "failed", words), None

    def _enhance_now(
        self, photo: Path, place: PurePosixPath, wanted: Path
    ) -> tuple[dict[str, Any], Path]:
        def tile_done(done: int, tiles: int) -> None:
            self.job.check()
            self._tell("working", done / tiles, photo=str(place))

        result = enhance_file(
            self._enhancer,
            photo,
            wanted,
            strength=self.amounts.strength,
            colour=self.amounts.colour,
            detail=self.amounts.detail,
            max_megapixels=MAX_MEGAPIXELS,
            progress=tile_done,
        )
        shown = [
            str(self._small(file, wanted.parent / f"{name}.jpg"))
            for name, file in (("before", photo), ("after", result.file))
        ]
        item = _item(place, "enhanced", "")
        item |= {"before": shown[0], "after": shown[1], "notes": list(result.notes)}
        return item | {"width": result.width, "height": result.height}, result.file

    def _enhancer(self, camera: Camera) -> PhotoEnhancer:
        chosen = (camera.phone or DEFAULT).name if self.phone == AUTO else self.phone
        return enhancer_for(chosen)

    def _small(self, photo: Path, file: Path) -> Path:
        picture = drafted_picture(photo, SMALL_SIDE)
        if picture is None:
            with open_photo_in_parts(photo, max_megapixels=MAX_MEGAPIXELS) as opened:
                picture = small_picture(photo_pixels(opened), SMALL_SIDE)
        return save_picture(picture, file, 85)

    def _list(self, item: dict[str, Any]) -> None:
        self.items.append(item)
        self._tell("item", item=item)

    def _weight(self, photo: Path) -> float:
        self.job.check()
        try:
            return SMALLEST_WORK + float(look(photo)["megapixels"])
        except DslrGanError:  # its turn tells what is wrong with it
            return SMALLEST_WORK

    def _tell(self, state: str, part: float = 0.0, **facts: Any) -> None:
        """Tell of a step; of the photo that is in work a part is done."""
        before, left = self.weights[: self.tried], self.weights[self.tried :]
        done, total = sum(before), sum(self.weights)
        worked = done + part * sum(left[:1])
        self.job.tell(
            state,
            **facts,
            done=self.tried,
            total=len(self.weights),
            share=round(worked / total, 3) if total else 1.0,
            failed=self._count("failed"),
            seconds_left=round(self.seconds / done * (total - worked), 1) if done else None,
        )

    def _count(self, status: str) -> int:
        return sum(item["status"] == status for item in self.items)

    def _remove(self, file: Path) -> None:
        """Remove what was unpacked once it is done with; uploads go with their session."""
        if file.is_relative_to(self.folder):
            with suppress(OSError):
                file.unlink()


def _item(place: PurePosixPath, status: str, reason: str) -> dict[str, Any]:
    return {
        "name": str(place),
        "status": status,
        "reason": reason,
        "notes": [],
        "before": "",
        "after": "",
        "width": 0,
        "height": 0,
    }

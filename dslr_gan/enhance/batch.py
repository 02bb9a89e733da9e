"""Many photos, one or several at a time; one that fails is reported and the others go on."""

import errno
import hashlib
import json
import os
import time
from _thread import get_ident, start_new_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import torch

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.photo_file import enhance_file
from dslr_gan.enhance.planning import Job
from dslr_gan.enhance.resume import Record, State, digest_of
from dslr_gan.enhance.running.memory import lacks_memory
from dslr_gan.errors import DslrGanError, shown
from dslr_gan.models.phones import AUTO, DEFAULT, PHONES, Camera, Phone, camera_hint
from dslr_gan.photo import MAX_MEGAPIXELS

STATES = ("enhanced", "copied", "finished", "by date", "failed")
"""What can become of a photo."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one photo."""

    source: Path
    destination: Path
    state: str
    """One of ``STATES``: ``copied`` is a photo whose strength is 0, ``finished`` and ``by date``
    one that was done before."""
    seconds: float
    """From opening to saving."""
    model: str = ""
    """Where the weights came from; empty where none were used."""
    error: str = ""
    """Why it failed."""
    camera: Camera = Camera()
    """What the EXIF of an enhanced photo says of its camera; see :meth:`Models.hint`."""
    notes: tuple[str, ...] = ()
    """What the photo has and the result does not."""


# Models --------------------------------------------------------------------------------------


class Models:
    """The enhancer for each photo: always the same one, or chosen by the photo's camera.

    Args:
        name: ``"auto"``, or whatever ``PhotoEnhancer.from_pretrained`` takes.
        options: The keyword arguments of ``from_pretrained``.

    Raises:
        DslrGanError: If a model cannot be loaded, or a revision is asked of ``"auto"``.
    """

    def __init__(self, name: str, **options: Any) -> None:
        if name == AUTO and options.get("revision") is not None:
            raise DslrGanError("--revision belongs to one model; name it instead of auto.")
        names = tuple(PHONES) if name == AUTO else (name,)
        self.is_auto = name == AUTO
        self._enhancers = {
            model: PhotoEnhancer.from_pretrained(model, **options) for model in names
        }
        self.fingerprint = " ".join(map(_fingerprint, self._enhancers.values()))
        """The same for the same settings and weights of every network, and for no others."""
        self._only = names[0]

    @property
    def device(self) -> torch.device:
        """Where the enhancers compute."""
        return next(iter(self._enhancers.values())).device

    def for_camera(self, camera: Camera) -> PhotoEnhancer:
        """The enhancer for photos of a camera."""
        name = (camera.phone or DEFAULT).name if self.is_auto else self._only
        return self._enhancers[name]

    def hint(self, camera: Camera, photos: int = 1) -> str | None:
        """What a person should know of a camera's photos and the model that was taken for them."""
        phone = self._phone_for(camera)
        if phone is None:
            return None
        if self.is_auto and not str(camera):
            do_not = (
                f"{photos} photos do not name their camera"
                if photos > 1
                else "This photo does not name its camera"
            )
            return f"{do_not}: the {phone.title} model was taken."
        return camera_hint(phone, camera, photos)

    def _phone_for(self, camera: Camera) -> Phone | None:
        """The phone that a camera's model was made for, where that is known."""
        if self.is_auto:
            return camera.phone or DEFAULT
        if self._only in PHONES:
            return PHONES[self._only]
        facts = self._enhancers[self._only].generator.facts
        learned_from = facts.phone if facts and facts.phone else ""
        return next((phone for phone in PHONES.values() if phone.camera in learned_from), None)


def _fingerprint(enhancer: PhotoEnhancer) -> str:
    """A digest of what makes up a network: its settings and every weight."""
    network = enhancer.generator
    digest = hashlib.blake2b(digest_size=16)
    settings = [type(network).__name__, network.config]
    if enhancer.precision != "fp32":  # left out, as in the records of earlier versions
        settings.append(enhancer.precision)
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for name, weight in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


# One photo -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Enhancing:
    """What is done to each photo.

    Calling it enhances one photo and returns its :class:`Outcome`; it never raises for what is
    wrong with a photo, its model, the disk or the memory.
    """

    models: Models
    strength: float = 1.0
    colour: float = 1.0
    detail: float = 1.0
    format: str | None = None
    """Such as ``"png"``; None keeps the photo's."""
    overwrite: bool = False
    """Whether a result that exists already is replaced."""
    max_megapixels: float = MAX_MEGAPIXELS
    """The largest photo that is opened, in millions of pixels."""
    history: bool = True
    """Whether a result's XMP says what made it."""
    preserve: bool = True
    """Whether a result gets the photo's permissions and modification time."""
    record: Record | None = None
    """Where finished work is recorded and looked up; None for neither."""
    say: Callable[[Path, str], None] = lambda path, note: None
    """Called with a photo and each of its notes as soon as they are known."""

    def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Enhance one photo; ``progress`` gets (tiles done, tiles in all)."""
        started = time.perf_counter()
        notes: list[str] = []

        def note(text: str) -> None:
            self.say(job.source, text)
            notes.append(text)

        destination, state, model, camera = job.destination, "failed", "", Camera()
        try:
            destination, state, model, camera = self._enhance(job, progress, note)
            error = ""
        except DslrGanError as reason:
            named = any(shown(path) in str(reason) for path in (job.source, job.destination))
            error = str(reason) if named else f"{shown(job.source)}: {reason}"
        except Exception as reason:  # a batch of hundreds does not end at one odd photo
            error = _unforeseen(job.source, reason)
        seconds = time.perf_counter() - started
        return Outcome(job.source, destination, state, seconds, model, error, camera, tuple(notes))

    def _enhance(
        self, job: Job, progress: Progress, note: Callable[[str], None]
    ) -> tuple[Path, str, str, Camera]:
        """Give the result's file, its state, where the weights came from, and the camera."""
        if before := self._done_before(job):
            return job.destination, before, "", Camera()
        _check_length(job)
        photo = digest_of(job.source) if self.record else ""
        result = enhance_file(
            self.models.for_camera,
            job.source,
            job.destination,
            strength=self.strength,
            colour=self.colour,
            detail=self.detail,
            format=self.format,
            overwrite=self.overwrite,
            max_megapixels=self.max_megapixels,
            history=self.history,
            preserve=self.preserve,
            progress=progress,
        )
        for text in result.notes:
            note(text)
        if self.record:
            self.record.add(photo, result.file, self._settings)
        state = "copied" if result.copied else "enhanced"
        return result.file, state, result.model, result.camera

    @property
    def _settings(self) -> str:
        kept = self.format or "kept"
        # Left out where they are as ever, as in the records of earlier versions.
        parted = f" colour {self.colour:g} detail {self.detail:g}"
        parted = "" if (self.colour, self.detail) == (1, 1) else parted
        history = "" if self.history else " without history"
        amounts = f"strength {self.strength:g}{parted}"
        return f"{self.models.fingerprint} {amounts} format {kept}{history}"

    def _done_before(self, job: Job) -> str | None:
        """The state of a result that exists already; None where there is work to do."""
        if os.path.isdir(job.destination):  # noqa: PTH112 - False, too, for a name that is too long
            raise DslrGanError(
                f"{shown(job.destination)} is a folder, where the result of {shown(job.source)} is "
                "to go; move it away, or name another --out."
            )
        if self.record is None:
            if os.path.lexists(job.destination) and not self.overwrite:
                raise DslrGanError(
                    f"{shown(job.destination)} exists already; add --overwrite to replace it."
                )
            return None
        match self.record.state(job.source, job.destination, self._settings):
            case State.FINISHED | State.BY_DATE as state:
                return state.value
            case State.OLDER if not self.overwrite:
                raise DslrGanError(
                    f"{shown(job.destination)} exists already, is not recorded, and is older than "
                    f"{shown(job.source)}; add --overwrite to make it anew, or move it away."
                )
            case State.OTHER if not self.overwrite:
                raise DslrGanError(
                    f"{shown(job.destination)} exists already and is not what these settings make "
                    f"of {shown(job.source)}; add --overwrite to replace it."
                )
        return None


def _check_length(job: Job) -> None:
    """Refuse, before any work, a name that the disk of the results cannot hold.

    Raises:
        DslrGanError: If it is too long.
    """
    destination = job.destination.absolute()
    # Where it will be there may be no folder yet, but on the same disk there is one.
    there = next(folder for folder in destination.parents if os.path.isdir(folder))  # noqa: PTH112
    try:
        os.lstat(there / destination.name)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise DslrGanError(
                f"The name {shown(destination.name)} is too long for the disk of the results; "
                f"rename the photo {shown(job.source)}, or choose another --format."
            ) from error


def _unforeseen(source: Path, error: Exception) -> str:
    """The error message for lack of memory, and for errors that nobody expected."""
    if lacks_memory(error):
        return (
            f"There is not enough memory for {shown(source)}; close other programs, or try a "
            "smaller --tile or --device cpu."
        )
    words = " ".join(str(error).split())[:200]
    return (
        f"{shown(source)} failed in an unforeseen way ({type(error).__name__}: {words}); "
        "please report it together with the photo."
    )


# All of them ---------------------------------------------------------------------------------


class _Stopped(BaseException):
    """Ends the work on a photo between two tiles; not caught by ``except Exception``."""


def enhance_all(
    jobs: Sequence[Job],
    enhance: Callable[[Job, Progress], Outcome],
    finished: Callable[[int, Outcome], None],
    *,
    workers: int = 1,
    progress: Callable[[Job, int, int], None] = lambda job, done, tiles: None,
) -> None:
    """Enhance photos, several at a time, and report each outcome as soon as it is known.

    Each worker is a thread: Pillow and PyTorch release the GIL while they compute. An interrupt, or
    whatever ``finished`` raises, ends the work: waiting photos are left out, those being worked on
    end after their tile, a file that is being written is finished and reported.

    Args:
        jobs: In the order in which they are begun.
        enhance: Usually an :class:`Enhancing`.
        finished: Called in this thread with the job's number, from 0, and its outcome.
        workers: How many photos are worked on at the same time, from 1.
        progress: Called from the workers with (job, tiles done, tiles in all).
    """
    work = _Work(jobs, enhance, progress)
    try:
        for _ in range(workers):
            start_new_thread(work.run, ())
        while work.told < len(jobs) and not work.errors:
            work.wait()
            work.tell(finished)
        for error in work.errors:
            raise error
    finally:
        work.stopped = True
        while len(work.ended) < len(work.begun):  # soon, unless it ends early
            work.wait()
        work.tell(finished)


class _Work:
    """Jobs that threads share, and what comes of them.

    An interrupt may come anywhere in the main thread, also where it has just taken a lock. Of the
    standard library's tools only those in C give theirs back then. A future, an event and the start
    of a ``threading.Thread`` may not, and others would wait for it for ever: here is none of them.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        enhance: Callable[[Job, Progress], Outcome],
        progress: Callable[[Job, int, int], None],
    ) -> None:
        self.stopped = False
        self.begun: list[int] = []
        """The threads that have begun, by their identifiers."""
        self.ended: list[int] = []
        """Those that have come to their end."""
        self.errors: list[BaseException] = []
        """What was raised instead of an outcome."""
        self.told = 0
        """How many outcomes have been told."""
        self._enhance, self._progress = enhance, progress
        self._waiting = iter(list(enumerate(jobs)))  # no two threads get the same one
        self._outcomes: list[tuple[int, Outcome]] = []
        self._bell: SimpleQueue[None] = SimpleQueue()

    def run(self) -> None:
        """Do one job after the other."""
        self.begun.append(get_ident())
        try:
            for number, job in self._waiting:
                if self.stopped:
                    break
                outcome = self._enhance(job, partial(self._advance, job))
                self._outcomes.append((number, outcome))
                self._bell.put(None)
        except _Stopped:
            pass
        except BaseException as error:
            self.errors.append(error)
        finally:
            self.ended.append(get_ident())
            self._bell.put(None)

    def _advance(self, job: Job, done: int, tiles: int) -> None:
        if self.stopped:
            raise _Stopped
        self._progress(job, done, tiles)

    def wait(self) -> None:
        """Wait until something has happened."""
        # With a timeout, since on some systems an interrupt comes only after the waiting.
        with suppress(Empty):
            self._bell.get(timeout=0.5)

    def tell(self, finished: Callable[[int, Outcome], None]) -> None:
        """Tell the outcomes that are known and have not been told."""
        while self.told < len(self._outcomes):
            self.told += 1
            finished(*self._outcomes[self.told - 1])

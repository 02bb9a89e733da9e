"""Many photos, one after another or several at a time: a bad one is reported, the rest go on."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.inputs import Job
from dslr_gan.enhance.resume import Record, State
from dslr_gan.errors import DslrGanError, shown
from dslr_gan.models.phones import DEFAULT, PHONES, Phone, camera_hint, camera_of
from dslr_gan.photo import (
    BECOMES,
    MAX_MEGAPIXELS,
    copy_photo,
    find_format,
    format_note,
    is_own_format,
    open_photo_in_parts,
)

AUTO = "auto"
"""The model that is chosen photo by photo, by the maker of its camera."""

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
    """Why it failed, in a sentence."""
    notes: tuple[str, ...] = ()
    """What is worth a hint: its camera, and what of it the result has not."""


# Models --------------------------------------------------------------------------------------


class Models:
    """The enhancer for each photo: always the same one, or by the photo's camera.

    Args:
        name: ``"auto"``, or whatever ``PhotoEnhancer.from_pretrained`` takes.
        options: What else it takes.

    Raises:
        DslrGanError: If a model cannot be loaded, or a revision is asked of ``"auto"``.
    """

    def __init__(self, name: str, **options: Any) -> None:
        if name == AUTO and options.get("revision") is not None:
            raise DslrGanError("--revision belongs to one model; name it instead of auto.")
        names = tuple(PHONES) if name == AUTO else (name,)
        self.is_auto = name == AUTO
        self._enhancers = {each: PhotoEnhancer.from_pretrained(each, **options) for each in names}
        self.fingerprint = " ".join(map(_fingerprint, self._enhancers.values()))
        """The same for the same settings and weights of every network, and for no others."""
        self._only = names[0]
        self._hinted: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def device(self) -> torch.device:
        """Where the enhancers compute."""
        return next(iter(self._enhancers.values())).device

    def for_photo(self, photo: Image.Image) -> PhotoEnhancer:
        """The enhancer that suits a photo."""
        name = (camera_of(photo).phone or DEFAULT).name if self.is_auto else self._only
        return self._enhancers[name]

    def hint(self, photo: Image.Image) -> str | None:
        """What there is to say of a photo's camera, in a sentence; once for each camera."""
        camera = camera_of(photo)
        phone = self._phone_of(photo)
        if phone is None:
            return None
        hint = camera_hint(phone, camera)
        if self.is_auto and not str(camera):
            hint = f"This photo does not name its camera: the {phone.title} model was taken."
        with self._lock:
            if hint is None or camera in self._hinted:
                return None
            self._hinted.add(camera)
            return hint

    def _phone_of(self, photo: Image.Image) -> Phone | None:
        """The phone that a photo's model was made for, where that is known."""
        if self.is_auto:
            return camera_of(photo).phone or DEFAULT
        if self._only in PHONES:
            return PHONES[self._only]
        facts = self._enhancers[self._only].generator.facts
        learned_from = facts.phone if facts and facts.phone else ""
        return next((each for each in PHONES.values() if each.camera in learned_from), None)


def _fingerprint(enhancer: PhotoEnhancer) -> str:
    """What tells a network from any other: its settings and every weight."""
    network = enhancer.generator
    digest = hashlib.blake2b(digest_size=16)
    settings = [type(network).__name__, network.config]
    if enhancer.precision != "fp32":  # which earlier versions did not write down
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

    Calling it enhances one photo and gives its :class:`Outcome`; it never raises for what is
    wrong with a photo, its model, the disk or the memory.
    """

    models: Models
    strength: float = 1.0
    format: str | None = None
    """Such as ``"png"``; None keeps the photo's."""
    overwrite: bool = False
    """Whether a result that is there is replaced."""
    max_megapixels: float = MAX_MEGAPIXELS
    """The largest photo that is opened, in millions of pixels."""
    record: Record | None = None
    """Where finished work is written down and looked up; None for neither."""
    say: Callable[[Path, str], None] = lambda path, sentence: None
    """Told of a photo what is worth a hint: its camera, and what of it the result has not."""

    def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Enhance one photo; ``progress`` gets (tiles done, tiles in all)."""
        started = time.perf_counter()
        state, model, error = "failed", "", ""
        notes: list[str] = []
        try:
            state, model = self._enhance(job, progress, notes.append)
        except DslrGanError as reason:
            named = any(shown(path) in str(reason) for path in (job.source, job.destination))
            error = str(reason) if named else f"{shown(job.source)}: {reason}"
        except Exception as reason:  # a batch of hundreds does not end at one odd photo
            error = _unforeseen(job.source, reason)
        seconds = time.perf_counter() - started
        return Outcome(job.source, job.destination, state, seconds, model, error, tuple(notes))

    def _enhance(
        self, job: Job, progress: Progress, note: Callable[[str], None]
    ) -> tuple[str, str]:
        if before := self._done_before(job):
            return before, ""
        with open_photo_in_parts(job.source, max_megapixels=self.max_megapixels) as photo:
            enhancer = self.models.for_photo(photo)
            if hint := self.models.hint(photo):
                self._tell(job, hint, note)
            state, lost = self._enhance_photo(photo, enhancer, job, progress)
        for each in dict.fromkeys(lost):
            self._tell(job, each, note)
        if self.record:
            self.record.add(job.source, job.destination, self._settings)
        return state, enhancer.source

    def _enhance_photo(
        self, photo: Image.Image, enhancer: PhotoEnhancer, job: Job, progress: Progress
    ) -> tuple[str, list[str]]:
        """Write the result of one photo; give its state, and what of the photo it has not."""
        # A file's format is what is in it, whatever its suffix says.
        own = photo.format or ""
        kind = find_format(self.format or BECOMES.get(own, own))
        if self.strength == 0 and is_own_format(photo, kind):
            # Encoded again, a lossy file would lose once more, for nothing.
            copy_photo(job.source, job.destination)
            return "copied", []
        lost = enhancer.enhance_to_file(
            photo, job.destination, self.strength, format=kind.name, progress=progress
        )
        if not self.format and (changed := format_note(photo, kind)):
            lost.append(changed)
        return "enhanced", lost

    def _tell(self, job: Job, sentence: str, note: Callable[[str], None]) -> None:
        self.say(job.source, sentence)
        note(sentence)

    @property
    def _settings(self) -> str:
        kept = self.format or "kept"
        return f"{self.models.fingerprint} strength {self.strength:g} format {kept}"

    def _done_before(self, job: Job) -> str | None:
        """The state of an outcome that is there already; None where there is work to do."""
        if self.record is None:
            if os.path.lexists(job.destination) and not self.overwrite:
                raise DslrGanError(
                    f"{shown(job.destination)} exists already; add --overwrite to replace it."
                )
            return None
        match self.record.state(job.source, job.destination, self._settings):
            case State.FINISHED | State.BY_DATE as state:
                return state.value
            case State.OTHER if not self.overwrite:
                raise DslrGanError(
                    f"{shown(job.destination)} exists already and is not what these settings make "
                    f"of {shown(job.source)}; add --overwrite to replace it."
                )
        return None


def _unforeseen(source: Path, error: Exception) -> str:
    """A sentence about what no other sentence was written for, the want of memory apart."""
    words = " ".join(str(error).split())[:200]
    # The latter is how oneDNN, which convolves on processors, says that it got no memory.
    says = any(each in words.lower() for each in ("memory", "could not create a primitive"))
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and says):
        return (
            f"There is not enough memory for {shown(source)}; close other programs, or try a "
            "smaller --tile or --device cpu."
        )
    return (
        f"{shown(source)} failed in an unforeseen way ({type(error).__name__}: {words}); "
        "please report it together with the photo."
    )


# All of them ---------------------------------------------------------------------------------


class _Stopped(BaseException):
    """Ends the work on a photo between two tiles; passes by whoever catches exceptions."""


def enhance_all(
    jobs: Sequence[Job],
    enhance: Callable[[Job, Progress], Outcome],
    finished: Callable[[int, Outcome], None],
    *,
    workers: int = 1,
    progress: Callable[[Job, int, int], None] = lambda job, done, tiles: None,
) -> None:
    """Enhance photos, several at a time, and tell each outcome as soon as it is there.

    Each worker is a thread: Pillow and PyTorch let others run while they compute. An interrupt, or
    whatever ``finished`` raises, ends the work: photos that wait are left, those being worked on
    end after their tile, a file that is being written is finished and told of.

    Args:
        jobs: In the order in which they are begun.
        enhance: Usually an :class:`Enhancing`.
        finished: Called in this thread with the job's number, from 0, and its outcome.
        workers: How many photos are worked on at the same time, from 1.
        progress: Called from the workers with (job, tiles done, tiles in all).
    """
    stop = threading.Event()

    def work(job: Job) -> Outcome:
        def advance(done: int, tiles: int) -> None:
            if stop.is_set():
                raise _Stopped
            progress(job, done, tiles)

        return enhance(job, advance)

    running: dict[Future[Outcome], int] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="enhance") as pool:
        try:
            numbered = iter(enumerate(jobs))
            while True:
                while len(running) < workers and (next_one := next(numbered, None)):
                    running[pool.submit(work, next_one[1])] = next_one[0]
                if not running:
                    return
                # With an end to the waiting, since some systems let no interrupt in before.
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=running.__getitem__):
                    finished(running.pop(future), future.result())
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for future, number in running.items():  # none, unless it ends early
                if not future.cancelled() and future.exception() is None:
                    finished(number, future.result())

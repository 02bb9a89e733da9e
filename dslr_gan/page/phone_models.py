"""The models behind the page's phones: loaded before anybody asks, and again where one stood in.

    start_loading()                  # once, when the page starts
    enhancer_for("iphone").enhance(photo)
    source_of("iphone")              # such as "Hub repository me/m at commit 12345678"

Each phone loads in a thread of its own, so that nobody waits for another phone's repository.
"""

import logging
import threading
import time
from concurrent import futures
from typing import Any

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.models.phones import PHONES, Phone
from dslr_gan.page.work.admission import LENT

TIMEOUT_S = 10.0
"""Seconds that the Hub has, and that the first visitor waits at most."""

AGAIN_S = 40.0
"""Seconds after which the Hub is asked again where something stood in for what was asked of it.
With the time that it has to answer, a bad minute is over in a minute."""

DEVICE = "cpu" if LENT else None
"""Where the page's own process computes: what is lent is lent to others of its processes."""

logger = logging.getLogger(__name__)


class PhoneModel:
    """The model of one phone.

    Args:
        phone: Whose.
        timeout_s: See :data:`TIMEOUT_S`.
        again_s: See :data:`AGAIN_S`.
    """

    def __init__(
        self, phone: Phone, timeout_s: float = TIMEOUT_S, again_s: float = AGAIN_S
    ) -> None:
        self.phone = phone
        self._timeout_s = timeout_s
        self._again_s = again_s
        self._lock = threading.Lock()
        self._begun: float | None = None
        self._loaded: futures.Future[PhotoEnhancer] = futures.Future()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Load it in the background, unless that has begun already."""
        with self._lock:
            if self._begun is None:
                self._begun = time.monotonic()
                name = f"load-{self.phone.name}"
                threading.Thread(target=self._keep_loading, name=name, daemon=True).start()

    def stop(self) -> None:
        """Try no more."""
        self._stopped.set()

    def get(self) -> PhotoEnhancer:
        """Give the enhancer; waits for the first one, no longer than the Hub has to answer.

        A repository that is still coming by then goes on coming, and its model is given as soon as
        it is there; until then the bundled one is.

        Raises:
            DslrGanError: If neither can be loaded.
        """
        self.start()
        assert self._begun is not None
        loaded = self._loaded
        left = self._begun + self._timeout_s - time.monotonic()
        futures.wait([loaded], timeout=max(0.0, left))
        if not loaded.done():
            with self._lock:  # one of those who wait loads it for all
                if not self._loaded.done():
                    self._take(self._bundled("it is still being fetched from the Hub"))
        return self._loaded.result()

    @property
    def source(self) -> str:
        """Where the weights came from, in words for people; why something stood in for them."""
        if not self._loaded.done():
            return "not loaded yet"
        error = self._loaded.exception()
        return self._loaded.result().source if error is None else str(error)

    def _keep_loading(self) -> None:
        """Load until it is what was asked for, with a pause between the tries."""
        while not self._stopped.is_set():
            loaded = self._load()
            with self._lock:
                self._take(loaded)
            if loaded.exception() is None and loaded.result().fallback is None:
                return
            self._stopped.wait(self._again_s)

    def _take(self, loaded: futures.Future[PhotoEnhancer]) -> None:
        """Give this from now on, also to those who wait; what works is not replaced by an error."""
        if loaded.exception() is not None and self._loaded.done():
            return
        waited_for, self._loaded = self._loaded, loaded
        if waited_for.done():
            return
        error = loaded.exception()
        if error is None:
            waited_for.set_result(loaded.result())
        else:
            waited_for.set_exception(error)

    def _load(self) -> futures.Future[PhotoEnhancer]:
        """The enhancer, or a DslrGanError, and nothing else."""
        loaded: futures.Future[PhotoEnhancer] = futures.Future()
        try:
            loaded.set_result(
                PhotoEnhancer.from_pretrained(
                    self.phone.name, timeout=self._timeout_s, device=DEVICE
                )
            )
        except DslrGanError as error:
            loaded.set_exception(error)
        except Exception as error:  # a mistake of ours or of a library must not end the page
            logger.exception("the %s model could not be loaded", self.phone.title)
            return self._bundled(
                f"it could not be loaded ({type(error).__name__}: {reason(error)})"
            )
        return loaded

    def _bundled(self, why: str) -> futures.Future[PhotoEnhancer]:
        """The bundled weights in place of the repository."""
        loaded: futures.Future[PhotoEnhancer] = futures.Future()
        try:
            enhancer = PhotoEnhancer.from_pretrained(self.phone.folder, device=DEVICE)
        except Exception as error:
            logger.exception("the bundled %s weights could not be loaded", self.phone.title)
            message = f"The {self.phone.title} model could not be loaded ({reason(error)})."
            loaded.set_exception(DslrGanError(message))
            return loaded
        of = self.phone.repository or "its model"
        enhancer.source = f"bundled {self.phone.title} weights instead of {of}: {why}"
        enhancer.fallback = why
        loaded.set_result(enhancer)
        return loaded


_MODELS = {phone.name: PhoneModel(phone) for phone in PHONES.values()}


def start_loading() -> None:
    """Load the models of all phones in the background."""
    for model in _MODELS.values():
        model.start()


def enhancer_for(phone: Any) -> PhotoEnhancer:
    """Give the enhancer of a phone; the first caller waits some seconds at most.

    Raises:
        DslrGanError: If the phone is not in the catalogue or its weights cannot be loaded.
    """
    return _model(phone).get()


def source_of(phone: Any) -> str:
    """Where the weights of a phone came from, in words; why something stood in for the Hub's.

    Raises:
        DslrGanError: If the phone is not in the catalogue.
    """
    return _model(phone).source


def _model(phone: Any) -> PhoneModel:
    if phone not in tuple(PHONES):
        raise DslrGanError(f"The phone {phone!r} is not known; choose {' or '.join(PHONES)}.")
    return _MODELS[phone]

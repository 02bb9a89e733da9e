"""The models behind the page's phones, loaded once."""

import functools
import threading
from typing import Any

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import PHONES


@functools.cache
def _load(phone: str) -> PhotoEnhancer:
    return PhotoEnhancer.from_pretrained(phone)


_loading = threading.Lock()


def enhancer_for(phone: Any) -> PhotoEnhancer:
    """Give the enhancer of a phone, loaded at the first call and kept.

    Raises:
        DslrGanError: If the phone is not in the catalogue or its weights cannot be loaded.
    """
    if phone not in tuple(PHONES):
        raise DslrGanError(f"The phone {phone!r} is not known; choose {' or '.join(PHONES)}.")
    with _loading:
        return _load(phone)

"""What a person should know of a photo, though it is no error: sentences that travel with it."""

from typing import Any, Protocol


class HasInfo(Protocol):
    """A picture of Pillow's, or a canvas."""

    @property
    def info(self) -> dict[Any, Any]:
        """What is known of it."""


_KEY = "dslr_gan_notes"


def notes(photo: HasInfo) -> list[str]:
    """Sentences on what of the file is not in this photo, such as frames after the first.

    Args:
        photo: What ``open_photo`` or ``PhotoEnhancer.enhance`` returned, its canvas, or any
            picture.

    Returns:
        Whole sentences without the photo's name; most photos have none.
    """
    return list(photo.info.get(_KEY, ()))


def add_note(info: dict[Any, Any], note: str) -> None:
    """Add a sentence to a photo's ``info``, once."""
    if note not in info.get(_KEY, ()):
        info[_KEY] = (*info.get(_KEY, ()), note)


def notes_info(photo: HasInfo) -> dict[str, Any]:
    """The part of a photo's ``info`` that holds its notes."""
    return {_KEY: tuple(notes(photo))} if notes(photo) else {}

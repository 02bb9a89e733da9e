"""The pairs of one phone or of several, each with the models that are scored on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dslr_gan.data.decode import Rows
from dslr_gan.data.pairs import COLUMNS
from dslr_gan.data.places import Places, places_file, read_places, rows_of_scenes
from dslr_gan.data.splits import select_rows
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.as_used import evaluate_as_used
from dslr_gan.evaluation.evaluate import Model, evaluate, open_rows
from dslr_gan.evaluation.scores import Scores
from dslr_gan.evaluation.table import PhoneScores, phone_of
from dslr_gan.files import from_home
from dslr_gan.metrics.vgg import VGGFeatures


@dataclass(frozen=True)
class PhonePairs:
    """The pairs of one phone, opened."""

    phone: str
    """Whose photos they are, such as ``iphone``."""
    pairs: str
    """Where they are, as it was given."""
    rows: Rows
    """Phone and DSLR pictures."""
    places: Places | None
    """Where the patches lie in whole photos; None where nothing is known or needed of that."""
    photos: Path | None
    """The folder of the whole photos; None where models are scored on patches alone."""

    def score(
        self,
        models: Mapping[str, Model],
        *,
        sources: Mapping[str, str] | None = None,
        vgg: VGGFeatures | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> PhoneScores:
        """Score models on the pairs, and where the photos are known as they are used.

        Args:
            models: By name.
            sources: Where each model's weights came from, by its name.
            vgg: Adds the VGG-16 distance.
            progress: Called with (pairs done, pairs in all), of the patches and then as used.

        Raises:
            DslrGanError: As :func:`evaluate` and :func:`evaluate_as_used`.
        """
        scores = evaluate(models, self.rows, vgg=vgg, progress=progress)
        as_used: Scores | None = None
        if self.photos is not None and self.places is not None:
            as_used = evaluate_as_used(
                models, self.rows, self.places, self.photos, vgg=vgg, progress=progress
            )
        return PhoneScores(self.phone, self.pairs, scores, as_used, dict(sources or {}))


def open_phones(
    pairs: Sequence[str],
    *,
    columns: tuple[str, str] = COLUMNS,
    phones: Sequence[str] = (),
    photos: Sequence[str] = (),
    scenes: Sequence[int] = (),
) -> list[PhonePairs]:
    """Open the pairs of each phone.

    Args:
        pairs: What :func:`open_rows` takes, for each phone.
        columns: What a dataset calls its phone and DSLR pictures.
        phones: What to call the phones, in the same order; the folder of their pictures by default.
        photos: Folders of the whole photos that patches were cut from, each for the phone that is
            named before a colon (``iphone:photos``), or for the only one.
        scenes: Keep the pairs of these scenes only; all by default.

    Raises:
        DslrGanError: If pairs cannot be opened, two phones are called alike, a folder of photos is
            for no phone or nothing says where the patches lie in it, or no pair shows the scenes.
    """
    if phones and len(phones) != len(pairs):
        raise DslrGanError(
            f"--phone was given {len(phones)} times and --pairs {len(pairs)} times; name the phone "
            "of each, or of none."
        )
    opened = [open_rows(name, columns=columns) for name in pairs]
    names = list(phones) or [phone_of(rows) for rows in opened]
    if len(set(names)) < len(names):
        raise DslrGanError(
            f"the pairs are of phones that are called alike ({', '.join(names)}); name them: "
            "--phone NAME for each --pairs."
        )
    folders = {name: _one(folders, f"--photos of {name}") for name, folders in
               for_phones(photos, names, "--photos").items() if folders}  # fmt: skip
    found = []
    for name, place, rows in zip(names, pairs, opened, strict=True):
        places = read_places(place) if name in folders or (scenes and places_file(place)) else None
        if scenes:
            rows = _of_scenes(rows, place, places, scenes)
        folder = folders.get(name)
        found.append(PhonePairs(name, place, rows, places, Path(folder) if folder else None))
    return found


def for_phones(given: Sequence[str], phones: Sequence[str], option: str) -> dict[str, list[str]]:
    """Give each phone what was said for it (``PHONE:TEXT``), or for all.

    Args:
        given: The texts; one that is a path as a whole is for all phones.
        phones: What the phones are called.
        option: Named in the error message.

    Returns:
        The texts by phone, in their order, without the phones' names.

    Raises:
        DslrGanError: If a text is for a phone that there is not.
    """
    found: dict[str, list[str]] = {phone: [] for phone in phones}
    for text in given:
        phone, colon, rest = text.partition(":")
        if not colon or exists(text) or len(phone) == 1:  # a drive of Windows
            for texts in found.values():
                texts.append(text)
        elif phone in found and rest:
            found[phone].append(from_home(rest))
        else:
            raise DslrGanError(
                f"{option} {text}: there are no pairs of {phone}, but of {', '.join(phones)}."
            )
    return found


def exists(text: str) -> bool:
    """Whether a text is the path of a file or a folder."""
    try:
        return Path(text).exists()
    except OSError:  # too long for a name
        return False


def _one(texts: Sequence[str], called: str) -> str:
    if len(texts) > 1:
        raise DslrGanError(f"{called} is given {len(texts)} times; give one folder.")
    return texts[0]


def _of_scenes(rows: Rows, pairs: str, places: Places | None, scenes: Sequence[int]) -> Rows:
    if places is None:
        places = read_places(pairs)  # which says that there are none
    chosen = rows_of_scenes(rows, places, set(scenes))
    if not chosen:
        raise DslrGanError(
            f"none of the {len(rows)} pairs of {pairs} shows one of the scenes "
            f"{', '.join(map(str, scenes))}; {places.file} says what they show."
        )
    return select_rows(rows, chosen)

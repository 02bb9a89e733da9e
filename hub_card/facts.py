"""What is known about a trained generator, as plain data that travels with its weights."""

import dataclasses
import json
import math
import re
import types
import typing
from dataclasses import MISSING, dataclass
from typing import Any, Self

THIS_MODEL = "this model"
"""``Score.method`` of the generator that a card is about; other methods are there to compare."""

# What the Hub accepts as the name of a licence that is not on its list.
_LICENCE_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_PICTURE_NAME = re.compile(r"\w[\w.-]*\.(jpg|png)")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something a generator learned from: pictures, or a network that acted as a teacher."""

    name: str
    """What people call it, such as ``DPED iPhone/Canon patches``."""

    gave: str
    """What this generator got from it, such as ``249 training pairs of 100x100 pixels``."""

    terms: str | None
    """Licence or terms of use in words; None when nobody knows them."""

    url: str | None
    """Where it can be found; None when that is unknown."""

    dataset_id: str | None
    """Its id among the data sets of the Hub, listed in the metadata; None when it is not there."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number: how one method did by one metric on one set of pairs."""

    method: str
    """``THIS_MODEL``, or the name of what it is compared with, such as ``input photo``."""

    dataset: str
    """The pairs in words, such as ``DPED iPhone test patches``."""

    pairs: int | None
    """How many pairs were scored."""

    metric: str
    """Name of the metric, such as ``PSNR``, ``SSIM`` or ``MS-SSIM``."""

    value: float
    """Mean over the pairs, finite."""

    ci95: tuple[float, float] | None
    """Low and high end of the 95 % confidence interval of the mean."""

    def __post_init__(self) -> None:
        numbers = [self.value, *(self.ci95 or ())]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(
                f"The {self.metric} of {self.method!r} must be finite, got {numbers}; "
                "leave out a score that could not be measured."
            )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that lies beside the card, such as one of a failure."""

    file: str
    """Its name, without a folder, ending in ``.jpg`` or ``.png``."""

    shows: str
    """What is to be seen, in a sentence."""

    def __post_init__(self) -> None:
        if not _PICTURE_NAME.fullmatch(self.file):
            raise ValueError(
                f"the picture {self.file!r} must be a plain name of letters, digits, dots, dashes "
                "and underscores that ends in .jpg or .png."
            )


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """All that a card says about one generator.

    Every fact must be given, but for those that are None from the start. None means that nobody
    knows it, and the card then says *unknown*; an empty list or dict means that there is none of
    it.

    Raises:
        ValueError: If ``licence_name`` is not one that the Hub accepts.
    """

    title: str
    """Heading of the card and name of the model in its list of results."""

    phone: str | None
    """The phone camera whose photos it improves, such as ``iPhone 3GS``."""

    camera: str | None
    """The camera whose look it learned, such as ``Canon 70D``."""

    architecture: str | None
    """Settings of the network in words, such as ``32 channels, 4 blocks, downscale 2``."""

    parameters: int | None
    """How many numbers the network learned."""

    data: list[Source] | None
    """The pictures it was trained on."""

    teachers: list[Source] | None
    """The networks whose results it was trained to imitate, or whose features it was judged by."""

    steps: int | None
    """Optimizer steps of the generator."""

    batch_size: int | None
    """Pairs per optimizer step, over all processes."""

    losses: dict[str, float] | None
    """Weight of each term of the loss by its name."""

    seed: int | None
    """Seed of the run."""

    commands: list[str] | None
    """The shell commands that made it, in order, complete."""

    versions: dict[str, str] | None
    """Version of each library that took part by its name."""

    scores: list[Score] | None
    """How it did, and what it is compared with."""

    limits: list[str] | None
    """What is known to go wrong, noise included, one sentence each."""

    licence_name: str | None
    """Short name of the terms of the weights: lower-case letters, digits, dots and dashes."""

    licence_text: str | None
    """The terms of the weights in words."""

    licence_link: str | None
    """Where the terms can be read; None when there is no such page."""

    date: str | None
    """Day the training ended, ``YYYY-MM-DD``."""

    # What follows came later: facts that were saved before lack it.

    speed: list[str] | None = None
    """How long a photo takes, a sentence each, with the machine."""

    pictures: list[Picture] | None = None
    """Pictures of what goes wrong."""

    before_after: Picture | None = None
    """A photo before and after, which the card begins with."""

    training_pictures: list[Picture] | None = None
    """Pictures of how the training went, such as its curves."""

    base_model: str | None = None
    """Hub id of the network that the training started from."""

    @property
    def all_pictures(self) -> list[Picture]:
        """Every picture that the card shows."""
        first = [self.before_after] if self.before_after is not None else []
        return [*first, *(self.pictures or []), *(self.training_pictures or [])]

    def __post_init__(self) -> None:
        if self.licence_name is not None and not _LICENCE_NAME.fullmatch(self.licence_name):
            raise ValueError(
                f"licence_name must consist of lower-case letters, digits, dots and dashes, "
                f"got {self.licence_name!r}; the words belong in licence_text."
            )

    def to_json(self) -> str:
        """Write the facts as JSON text that ``from_json`` reads back to equal facts."""
        facts = dataclasses.asdict(self)
        return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read facts that ``to_json`` wrote.

        Args:
            text: A JSON object with every fact, unknown ones as ``null``.

        Returns:
            The facts.

        Raises:
            ValueError: If the text is no JSON, a fact is missing, one is not known here, or a
                value is of the wrong kind; the message names it.
        """
        try:
            value = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"The facts are not valid JSON: {error}.") from error
        return _read(value, cls, "facts")


def read_facts(text: str, title: str) -> tuple[ModelFacts, list[str]]:
    """Read facts as far as they can be read: those of a later version, or of somebody else.

    Args:
        text: A JSON object, as ``ModelFacts.to_json`` writes it or nearly so.
        title: Takes the place of a title that cannot be read.

    Returns:
        The facts, where those that cannot be read are unknown; and what is wrong with these and
        with those that nobody knows here, in a few words each.

    Raises:
        ValueError: If the text is no JSON object.
    """
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is too deep") from error
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")
    kinds = typing.get_type_hints(ModelFacts)
    problems = [
        f"the fact {name[:60]!r} is not known here" for name in sorted(values.keys() - kinds)
    ]
    facts = unknown_facts(title)
    for name in kinds.keys() & values.keys():
        try:
            value = _read(values[name], kinds[name], name)
            facts = dataclasses.replace(facts, **{name: value})
        except (ValueError, OverflowError, RecursionError) as error:
            problems.append(f"the fact {name!r} cannot be read ({str(error)[:160]})")
    return facts, problems


def unknown_facts(title: str) -> ModelFacts:
    """Facts about a generator of which nothing is recorded but its name.

    ``dataclasses.replace`` fills in the ones that are known.
    """
    names = (field.name for field in dataclasses.fields(ModelFacts))
    return ModelFacts(**{name: title if name == "title" else None for name in names})  # type: ignore[arg-type]


def _read(value: Any, kind: Any, where: str) -> Any:
    """Turn a JSON value into the annotated ``kind``; ``where`` names it in an error."""
    if dataclasses.is_dataclass(kind):
        return _read_object(value, kind, where)
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin is types.UnionType:  # X | None
        return None if value is None else _read(value, arguments[0], where)
    if origin is list and isinstance(value, list):
        return [_read(item, arguments[0], f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is tuple and isinstance(value, list) and len(value) == len(arguments):
        pairs = zip(value, arguments, strict=True)
        return tuple(_read(item, each, f"{where}[{i}]") for i, (item, each) in enumerate(pairs))
    if origin is dict and isinstance(value, dict):
        return {key: _read(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    # JSON writes 1.0 as it likes, and Python takes True for an int.
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is kind:
        return value
    wanted = getattr(kind, "__name__", None) if origin is None else str(kind)
    raise ValueError(f"{where} must be of type {wanted}, got {value!r}.")


def _read_object(value: Any, kind: Any, where: str) -> Any:
    """Turn a JSON object into the dataclass ``kind``, all fields that must be and no others."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object, got {value!r}.")
    kinds = typing.get_type_hints(kind)
    optional = {field.name for field in dataclasses.fields(kind) if field.default is not MISSING}
    missing = sorted(kinds.keys() - value.keys() - optional)
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}; write null for what is unknown.")
    unknown = sorted(value.keys() - kinds.keys())
    if unknown:
        raise ValueError(f"{where} has {', '.join(unknown)}, which no card knows; remove it.")
    return kind(**{name: _read(value[name], kinds[name], f"{where}.{name}") for name in value})

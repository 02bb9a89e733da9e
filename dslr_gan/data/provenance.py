"""Where pairs come from, for the card of what learns from them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dslr_gan.data.folder import find_pairs, split_folder
from dslr_gan.errors import DslrGanError
from hub_card import Source

SOURCE_FILE = "source.json"

DPED_PHONES = ("iphone", "sony", "blackberry")

DPED_TERMS = "free for research; the owners name no licence for anything more"

DPED_URL = "http://people.ee.ethz.ch/~ihnatova/"


@dataclass(frozen=True)
class Provenance:
    """Where pairs come from, for the card of what learns from them."""

    data: Source
    """The pictures."""
    teachers: list[Source]
    """Networks whose results are the targets."""


def provenance(folder: str | Path, count: int | None = None) -> Provenance:
    """Find out where a folder's pairs come from.

    Args:
        folder: DPED's layout, or what ``prepare`` wrote (it leaves ``source.json`` there).
        count: How many training pairs it has; ``None`` to look, in a folder of files.

    Returns:
        What is known; for any other folder its name and how many pairs it has.

    Raises:
        DslrGanError: If ``source.json`` cannot be read.
    """
    folder = Path(folder)
    if count is None:
        count = len(find_pairs(split_folder(folder, "train")).names)
    file = folder / SOURCE_FILE
    if file.is_file():
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
            return Provenance(
                Source(**known["data"]), [Source(**teacher) for teacher in known["teachers"]]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DslrGanError(f"{file} is damaged ({error}); run prepare again.") from error
    if (folder / "training_data").is_dir() and folder.name in DPED_PHONES:
        source = Source(
            name=f"DPED patches, {folder.name} against Canon 70D",
            gave=f"{count} pairs",
            terms=DPED_TERMS,
            url=DPED_URL,
            dataset_id=None,
        )
        return Provenance(source, [])
    source = Source(name=folder.name, gave=f"{count} pairs", terms=None, url=None, dataset_id=None)
    return Provenance(source, [])


def provenance_json(known: Provenance) -> str:
    """The text of ``source.json``, which :func:`provenance` reads back."""
    return json.dumps(asdict(known), indent=2, ensure_ascii=False) + "\n"

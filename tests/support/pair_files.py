"""Pairs of one-coloured pictures, on disk as people have them."""

import io

import numpy as np
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pillow

from dslr_gan.data.decode import read_pair


def png(red, green=0, size=(12, 12)):
    stream = io.BytesIO()
    Pillow.new("RGB", size, (red, green, 0)).save(stream, "PNG")
    return stream.getvalue()


def flat_pairs(folder, phone="phone", names=("0.png", "1.png"), size=(40, 30), mode="RGB"):
    """A pairs folder of flat pictures; a name's number is the red of its phone picture."""
    for side in (phone, "canon"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Pillow.new("RGB", size, (number, 0, 0)).convert(mode).save(folder / phone / name)
        Pillow.new("RGB", size, (number, 99, 0)).save(folder / "canon" / name)
    return folder


def write_files(folder, phone="phone", names=("0.png", "1.png", "2.png")):
    for side, green in ((phone, 0), ("canon", 99)):
        (folder / side).mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            (folder / side / name).write_bytes(png(number, green))
    return folder


def table(numbers, columns=("phone", "dslr"), photos=True):
    pictures = {
        column: [{"bytes": png(number, green), "path": None} for number in numbers]
        for column, green in zip(columns, (0, 99), strict=True)
    }
    features = dict.fromkeys(columns, Image())
    if photos:
        pictures |= {"photo": [f"p{number // 4}" for number in numbers], "top": list(numbers)}
        features |= {"photo": Value("string"), "top": Value("int32")}
    return Dataset.from_dict(pictures, features=Features(features))


def prepared(folder, train=40, test=5, shards=2, **options):
    """What prepare writes: sharded parquet with embedded pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir()
    parts = np.array_split(np.arange(train), shards)
    for number, part in enumerate(parts):
        name = f"train-{number:05d}-of-{shards:05d}.parquet"
        table(part.tolist(), **options).to_parquet(folder / "data" / name)
    if test:
        rows = table(range(100, 100 + test), **options)
        rows.to_parquet(folder / "data/test-00000-of-00001.parquet")
    return folder


def reds(rows):
    """Which pairs rows hold, and that both pictures of each belong together."""
    found = []
    for row in rows:
        phone, dslr = read_pair([row], 0)
        assert (dslr[0, 0, 1], dslr[0, 0, 0]) == (99, phone[0, 0, 0])
        found.append(int(phone[0, 0, 0]))
    return found

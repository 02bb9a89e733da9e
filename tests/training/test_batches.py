"""Which pairs a run trains and validates on."""

import numpy as np
import pytest
from PIL import Image

from dslr_gan.training.arguments import parse_arguments
from dslr_gan.training.batches import open_training_data


@pytest.fixture
def pairs(tmp_path):
    """Twelve pairs in DPED's layout, three of them to test with, and six plain ones."""
    random = np.random.default_rng(0)
    counts = {"iphone/training_data/iphone": 9, "iphone/test_data/patches/iphone": 3, "more/p": 6}
    for place, count in counts.items():
        for side in (tmp_path / place, (tmp_path / place).with_name("canon")):
            side.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(side / f"{number}.png")
    return tmp_path


def data_of(pairs, *flags):
    named = ["--pairs", f"{pairs / 'iphone'}=0.5", "--pairs", f"{pairs / 'more'}=0.5"]
    arguments = parse_arguments([*named, "--output_dir", str(pairs / "run"), *flags])
    return open_training_data(arguments, with_summary=False)


def test_the_test_pairs_judge_unless_told_otherwise(pairs):
    data = data_of(pairs)
    assert [len(source.train) for source in data.sources] == [9, 6]
    assert len(data.validation) == 3
    assert len(data_of(pairs, "--validation_pairs", str(pairs / "more")).validation) == 6


def test_a_fold_judges_and_all_else_trains(pairs):
    data = data_of(pairs, "--fold", "2/4")
    assert [len(source.train) for source in data.sources] == [9, 6]
    assert len(data.validation) == 3 and data.validation_name == str(pairs / "iphone")
    assert len(data_of(pairs, "--fold", "1/6").validation) == 2

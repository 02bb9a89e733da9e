"""The figure of panels: every method at its place, missing ones white."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from dslr_gan.evaluation.figure import GAP, LINE
from dslr_gan.models.registry import make_network
from scripts.panels import CROPS, SIDE, main


@pytest.mark.slow
def test_a_row_for_each_crop_and_phone_and_white_where_nothing_is_trained(tmp_path):
    make_network("srcnn").save_pretrained(tmp_path / "srcnn_sony")
    main([str(tmp_path / "panels.png"), "--trained", str(tmp_path)])
    picture = np.asarray(Image.open(tmp_path / "panels.png").convert("RGB"))
    rows = len(CROPS) * 2
    assert picture.shape[1] == GAP + 3 * (SIDE + GAP)
    step = SIDE + LINE + GAP

    def panel(row, column):
        top, left = GAP + LINE + row * step, GAP + column * (SIDE + GAP)
        return picture[top : top + SIDE, left : left + SIDE]

    for row in range(rows):
        name = list(CROPS)[row // 2]
        left, top = CROPS[name]
        photo = getattr(skimage.data, name)()[top : top + SIDE, left : left + SIDE]
        assert np.array_equal(panel(row, 2), photo)
        assert not np.array_equal(panel(row, 1), photo), "the bundled model changes it"
        assert (panel(row, 0) == 255).all() == (row % 2 == 0), "only Sony's SRCNN is there"

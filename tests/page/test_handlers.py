"""What the page does with an upload, without a server."""

from pathlib import Path

import numpy as np
from PIL import Image

from dslr_gan.page import handlers
from dslr_gan.photo import open_photo
from tests.support.app_server import coffee, save_phone_photo


def test_a_large_photo_is_shown_smaller(tmp_path):
    file = Path(handlers.preview(coffee(3000, 300), tmp_path / "shown.png"))
    assert Image.open(file).size == (handlers.PREVIEW_SIDE, 205)
    details = {
        "change_ssim": 0.9, "quality_ssim": None, "source": "<b>", "note": None,
        "phone": "sony", "notes": ["An <i>odd</i> note."], "hint": "<i>Canon</i>",
        "strength": 1, "width": 3000, "height": 300, "seconds": 1.0,
    }  # fmt: skip
    text = handlers.facts_html(details)
    assert "scaled down" in text and "Quality" not in text and "<b>." not in text
    assert "<p class='hint'>&lt;i&gt;Canon" in text
    assert "An &lt;i&gt;odd&lt;/i&gt; note." in text
    assert "class='hint'" not in handlers.facts_html({**details, "hint": None})


def test_displayed_is_upright_and_8_bit(tmp_path):
    turned = open_photo(save_phone_photo(tmp_path / "turned.jpg", 40, 30, orientation=8))
    assert handlers.displayed(turned).size == (30, 40)
    deep = Image.fromarray(np.full((20, 30), 65535, np.uint16))
    shown = handlers.displayed(deep)
    assert shown.mode == "RGB" and shown.getextrema() == ((255, 255),) * 3

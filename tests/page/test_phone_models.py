"""The models behind the page's phones."""

import threading
from collections import Counter

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import PHONES
from dslr_gan.page import phone_models


def test_a_model_is_loaded_once(monkeypatch):
    loads = Counter()

    class Slow:
        @staticmethod
        def from_pretrained(name):
            loads[name] += 1
            threading.Event().wait(0.05)
            return name

    monkeypatch.setattr(phone_models, "PhotoEnhancer", Slow)
    phone_models._load.cache_clear()
    try:
        threads = [
            threading.Thread(target=phone_models.enhancer_for, args=(phone,))
            for phone in (*PHONES, *PHONES, *PHONES)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        phone_models._load.cache_clear()
    assert loads == {"iphone": 1, "sony": 1}


@pytest.mark.parametrize("phone", ["nokia", None, ["iphone"], 7])
def test_another_phone_is_refused(phone):
    with pytest.raises(DslrGanError, match="choose iphone or sony"):
        phone_models.enhancer_for(phone)

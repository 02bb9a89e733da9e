"""Where pairs come from: kept in a file, known of DPED, and unknown otherwise."""

import dataclasses

import pytest

from dslr_gan.data.provenance import Provenance, provenance, provenance_json
from dslr_gan.errors import DslrGanError
from hub_card import Source
from tests.support.pair_files import flat_pairs


def test_provenance_survives_its_file(tmp_path):
    source = Source(
        name="façades", gave="2 pairs", terms="CC0", url="https://a.b", dataset_id="c/d"
    )
    teacher = dataclasses.replace(source, name="teacher", terms=None, url=None, dataset_id=None)
    known = Provenance(source, [teacher, source])
    flat_pairs(tmp_path)
    (tmp_path / "source.json").write_text(provenance_json(known), encoding="utf-8")
    assert provenance(tmp_path) == known


def test_provenance_of_other_folders(tmp_path):
    flat_pairs(tmp_path / "sony/training_data", "sony", names=("0.png", "1.png", "2.png"))
    dped = provenance(tmp_path / "sony")
    assert dped.data.name == "DPED patches, sony against Canon 70D"
    assert dped.data.gave == "3 pairs" and dped.data.terms.startswith("free for research")
    plain = provenance(flat_pairs(tmp_path / "mine"))
    unknown = Source(name="mine", gave="2 pairs", terms=None, url=None, dataset_id=None)
    assert plain == Provenance(unknown, [])
    assert dped.teachers == []


@pytest.mark.parametrize("text", ["{", "[]", '{"data": {}, "teachers": []}', '{"teachers": []}'])
def test_a_damaged_source_json_is_refused(tmp_path, text):
    (flat_pairs(tmp_path) / "source.json").write_text(text)
    with pytest.raises(DslrGanError, match="source.json is damaged .*run prepare again"):
        provenance(tmp_path)

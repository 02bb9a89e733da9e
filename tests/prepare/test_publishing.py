"""Pairs as a dataset on the Hub."""

import datasets
import pytest
from huggingface_hub import DatasetCard

from dslr_gan.errors import HubError, InputError
from dslr_gan.hub import Target
from dslr_gan.prepare.dataset import write_card, write_shards
from dslr_gan.prepare.matching import pairs_by_name
from dslr_gan.prepare.one_pair import CutSettings, cut_pair
from dslr_gan.prepare.publishing import is_prepared, prepared_files, push_dataset, write_pairs
from hub_card import Source, is_untouched
from tests.support import made_photos
from tests.support.hub_server import HubServer, take_for_the_hub
from tests.support.trainer import make_dped

SOURCE = Source(name="my: photos", gave="", terms="CC0", url="https://a.b", dataset_id=None)
TARGET = Target(repo_id="me/pairs", repo_type="dataset")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A small dataset as prepare writes it."""
    home = tmp_path_factory.mktemp("prepared")
    folder = home / "out"
    (pair,) = pairs_by_name(*made_photos.write_pairs(home, ["chelsea"], width=320))
    cut_pair(pair, home / "chelsea.parquet", CutSettings(patch=48, stride=48))
    written = write_shards(folder, {"train": ["chelsea"]}, {"chelsea": home / "chelsea.parquet"})
    write_card(folder, SOURCE, written, "Made so.")
    (folder / "report.html").write_text("<p>kept")
    return folder


@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_the_hub_gets_the_folder_and_its_refusal_is_an_error_message(
    prepared, tmp_path, monkeypatch, xet
):
    with HubServer(xet) as hub:
        take_for_the_hub(monkeypatch, hub, tmp_path)
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        with pytest.raises(HubError, match=r"the Hub does not take me/pairs \(") as caught:
            push_dataset(prepared, TARGET)
        command = f"python -m dslr_gan push {prepared} --repo me/pairs"
        assert f"`{command}` pushes it." in str(caught.value)
        assert hub.repositories == {}
        monkeypatch.setenv("HF_TOKEN", hub.token)
        pushed = push_dataset(prepared, TARGET)
        assert pushed.repository == f"{hub.url}/datasets/me/pairs"
        stored = hub.repositories["datasets/me/pairs"].files("main")
    for file in (path for path in prepared.rglob("*") if path.is_file() and path.suffix != ".md"):
        assert stored[file.relative_to(prepared).as_posix()].content == file.read_bytes()
    card = stored["README.md"].content.decode()
    assert 'load_dataset("me/pairs")' in card and "OWNER/NAME" not in card and is_untouched(card)


def test_the_example_of_a_card_that_somebody_has_changed_is_right_too(prepared, tmp_path):
    card = prepared / "README.md"
    before = card.read_text()
    card.write_text(before.replace("Made so.", "Made so, by me."))
    text = prepared_files(prepared, "me/pairs")["README.md"].decode()
    card.write_text(before)
    assert 'load_dataset("me/pairs")' in text and "by me" in text and not is_untouched(text)


def test_a_link_in_the_folder_is_not_followed(prepared, tmp_path):
    (tmp_path / "key").write_text("secret")
    link = prepared / "report.json"
    link.symlink_to(tmp_path / "key")
    try:
        with pytest.raises(InputError, match=r"report\.json is a link and is not sent"):
            prepared_files(prepared, "me/pairs")
    finally:
        link.unlink()


def test_a_folder_of_pairs_becomes_what_load_dataset_reads(tmp_path, caplog):
    folder = make_dped(tmp_path / "dped/iphone", train=4, test=2)
    assert not is_prepared(folder)
    files = write_pairs(folder, tmp_path / "out", "me/pairs")
    for name, content in files.items():
        if isinstance(content, bytes):
            (tmp_path / "out" / name).write_bytes(content)
    rows = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows[split]) for split in rows} == {"train": 4, "test": 2}
    assert not caplog.records  # datasets warns of a card that it understands only in part
    raw = rows["train"].cast_column("dslr", datasets.Image(decode=False))
    written = (folder / "training_data/canon" / raw[3]["name"]).read_bytes()
    assert raw[3]["dslr"]["bytes"] == written
    card = DatasetCard(files["README.md"].decode())
    assert 'load_dataset("me/pairs")' in card.text and "4 in train, 2 in test" in card.text
    assert "research" in card.text, "DPED's terms are known"
    train = card.data.to_dict()["dataset_info"]["splits"][0]
    assert (train["name"], train["num_examples"]) == ("train", 4)


@pytest.mark.parametrize("planted", ["link", "text"])
def test_only_regular_pictures_of_a_folder_of_pairs_are_sent(planted, tmp_path):
    folder = make_dped(tmp_path / "dped/iphone", train=2, test=1)
    spoilt = folder / "training_data/iphone/0.png"
    content = spoilt.read_bytes()
    spoilt.unlink()
    if planted == "link":
        (tmp_path / "elsewhere.png").write_bytes(content)
        spoilt.symlink_to(tmp_path / "elsewhere.png")
    else:
        spoilt.write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    words = {"link": "is a link and is not sent", "text": "is no whole picture"}
    with pytest.raises(InputError, match=rf"0\.png {words[planted]}"):
        write_pairs(folder, tmp_path / "out", "me/pairs")

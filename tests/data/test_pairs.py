"""Pairs opened by name: folders, prepared datasets, the Hub over HTTP, streams."""

import io
import json
import shutil
import time

import pytest
from datasets import Dataset, Features, Image, IterableDataset
from PIL import Image as Pillow

from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.provenance import Provenance, provenance_json
from dslr_gan.data.splits import hold_out
from dslr_gan.errors import DslrGanError
from hub_card import Source
from tests.support.hub_client import HubClient
from tests.support.hub_server import HubServer
from tests.support.pair_files import png, prepared, reds, write_files

pytestmark = pytest.mark.usefixtures("datasets_cache")


# Folders of files ----------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_dped_and_plain_folders(tmp_path, streaming):
    write_files(tmp_path / "iphone/training_data", "iphone")
    write_files(tmp_path / "iphone/test_data/patches", "iphone", ("0.png",))
    dped = open_pairs(tmp_path / "iphone", streaming=streaming)
    assert isinstance(dped.train, IterableDataset) is streaming
    assert (reds(dped.train), reds(dped.test)) == ([0, 1, 2], [0])
    assert dped.provenance.data.name == "DPED patches, iphone against Canon 70D"
    assert dped.provenance.data.gave == "3 pairs"
    plain = open_pairs(str(write_files(tmp_path / "plain")), streaming=streaming)
    assert (reds(plain.train), plain.test) == ([0, 1, 2], None)


def test_a_fingerprint_goes_with_the_pairs_and_not_with_their_place(tmp_path):
    first = write_files(tmp_path / "a")
    shutil.copytree(first, tmp_path / "elsewhere")
    mark = open_pairs(first).fingerprint
    assert open_pairs(tmp_path / "elsewhere", streaming=True).fingerprint == mark
    files = open_pairs(first).files
    (first / "canon/1.png").write_bytes(png(1, 99) + b" ")
    assert open_pairs(first).fingerprint == mark, "a repaired picture is the same one"
    changed = set(open_pairs(first).files) - set(files)
    assert changed == {f"train/dslr/1.png {len(png(1, 99)) + 1}"}
    for side in ("phone", "canon"):
        (tmp_path / "elsewhere" / side / "2.png").rename(tmp_path / "elsewhere" / side / "3.png")
    assert open_pairs(tmp_path / "elsewhere").fingerprint != mark


def test_patches_of_our_own_are_known_by_their_photo(tmp_path):
    names = [f"holiday_{photo}_{top}_0.png" for photo in range(5) for top in (0, 100)]
    folder = write_files(tmp_path / "p", names=names)
    assert open_pairs(folder).train.column_names == ["phone", "dslr"]
    known = Source(name="x", gave="10 pairs", terms=None, url=None, dataset_id=None)
    (folder / "source.json").write_text(provenance_json(Provenance(known, [])))
    opened = open_pairs(folder)
    assert opened.provenance.data == known
    parts = hold_out(opened, 0.2, 0)
    assert (len(parts.train), len(parts.test)) == (8, 2)
    assert len(set(parts.test["photo"])) == 1


# Datasets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_a_prepared_dataset(tmp_path, streaming):
    folder = prepared(tmp_path / "parquet")
    known = Provenance(
        Source(name="mine", gave="40 pairs", terms="CC0", url=None, dataset_id=None), []
    )
    (folder / "source.json").write_text(provenance_json(known))
    opened = open_pairs(folder, streaming=streaming)
    assert opened.train.column_names == ["phone", "dslr", "photo"]
    assert reds(opened.train) == list(range(40))
    assert reds(opened.test) == list(range(100, 105))
    assert opened.provenance == known
    shutil.copytree(folder, tmp_path / "copy")
    assert open_pairs(tmp_path / "copy").fingerprint == opened.fingerprint


@pytest.mark.parametrize("streaming", [False, True])
def test_pictures_arrive_byte_for_byte(tmp_path, streaming):
    stream = io.BytesIO()
    Pillow.effect_noise((40, 40), 90).convert("RGB").save(stream, "JPEG", quality=70)
    pictures = {column: [{"bytes": stream.getvalue(), "path": None}] for column in ("a", "b")}
    features = Features(dict.fromkeys(pictures, Image()))
    Dataset.from_dict(pictures, features=features).to_parquet(tmp_path / "train.parquet")
    opened = open_pairs(tmp_path, streaming=streaming, columns=("b", "a"))
    row = next(iter(opened.train))
    assert row["phone"]["bytes"] == row["dslr"]["bytes"] == stream.getvalue()


@pytest.mark.parametrize("streaming", [False, True])
def test_an_imagefolder(tmp_path, streaming):
    lines = []
    for number in range(3):
        for column, green in (("a", 0), ("b", 99)):
            (tmp_path / f"{column}{number}.png").write_bytes(png(number, green))
        lines.append({"phone_file_name": f"a{number}.png", "dslr_file_name": f"b{number}.png"})
    text = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "metadata.jsonl").write_text(text)
    opened = open_pairs(tmp_path, streaming=streaming)
    assert sorted(reds(opened.train)) == [0, 1, 2]
    assert opened.provenance.data.gave == ("a stream of pairs" if streaming else "3 pairs")


def test_columns_by_other_names_even_the_wrong_way_round(tmp_path):
    folder = prepared(tmp_path / "x", 4, 0, 1, columns=("input", "target"), photos=False)
    for streaming in (False, True):
        with pytest.raises(DslrGanError, match="no column phone; .* --columns input target"):
            open_pairs(folder, streaming=streaming)
    opened = open_pairs(folder, columns=("input", "target"))
    assert reds(opened.train) == [0, 1, 2, 3]
    folder = prepared(tmp_path / "y", 4, 0, 1, columns=("dslr", "phone"), photos=False)
    assert reds(open_pairs(folder, columns=("dslr", "phone")).train) == [0, 1, 2, 3]
    with pytest.raises(DslrGanError, match="--columns names dslr twice"):
        open_pairs(folder, columns=("dslr", "dslr"))


def test_what_is_no_dataset_of_pairs_is_refused(tmp_path):
    folder = prepared(tmp_path / "x", 4, 0, 1)
    with pytest.raises(DslrGanError, match="has no pictures in its column top"):
        open_pairs(folder, columns=("phone", "top"))
    (folder / "data/train-00000-of-00001.parquet").rename(folder / "data/test-0.parquet")
    with pytest.raises(DslrGanError, match="has no split train, but test"):
        open_pairs(folder)
    empty = prepared(tmp_path / "empty", 0, 0, 1)
    with pytest.raises(DslrGanError, match="empty"):
        open_pairs(empty)
    (folder / "data/test-0.parquet").write_bytes(b"PAR1 is not enough")
    (folder / "data/test-0.parquet").rename(folder / "data/train-0.parquet")
    with pytest.raises(DslrGanError, match="x cannot be read as a dataset .*check its files"):
        open_pairs(folder)
    with pytest.raises(DslrGanError, match="there is no folder nothing, and it is not a Hub"):
        open_pairs("nothing")
    with pytest.raises(DslrGanError, match="is a folder and has no revision 'v1'"):
        open_pairs(write_files(tmp_path / "files"), revision="v1")


# The Hub -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = prepared(tmp_path_factory.mktemp("hub") / "pairs", 8, 3, 2)
    with HubServer() as server:
        for file in folder.rglob("*.parquet"):
            path = str(file.relative_to(folder))
            server.add_file("datasets/me/pairs", path, file.read_bytes())
        server.add_file("datasets/me/pairs", "README.md", b"---\nlicense: cc0-1.0\n---\n# pairs\n")
        server.add_file("datasets/me/texts", "train.csv", b"a,b\n1,2\n")
        yield server


@pytest.fixture(scope="module")
def client(hub, tmp_path_factory):
    with HubClient(hub, tmp_path_factory.mktemp("home")) as asked:
        yield asked


def test_a_hub_dataset_by_number_and_as_a_stream(hub, client):
    before = len(hub.requests)
    streamed = client.ask("pairs", name="me/pairs", streaming=True)
    assert streamed["gave"] == "a stream of pairs"
    assert any(request.range for request in hub.requests[before:]), "it was not read in parts"
    whole = client.ask("pairs", name="me/pairs")
    for opened in (streamed, whole):
        assert opened["train"] == list(range(8))
        assert opened["test"] == [100, 101, 102]
        assert (opened["terms"], opened["dataset_id"]) == ("cc0-1.0", "me/pairs")
    assert whole["gave"] == "8 pairs"
    assert whole["fingerprint"] == streamed["fingerprint"]
    commit = hub.repositories["datasets/me/pairs"].find("main")
    pinned = client.ask("pairs", name="me/pairs", revision=commit)
    assert pinned["fingerprint"] == whole["fingerprint"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"name": "me/nothing"}, "there is no folder me/nothing, and the Hub has no dataset"),
        ({"name": "me/pairs", "revision": "v9"}, "the Hub has no revision 'v9'"),
        ({"name": "me/texts"}, "has no column phone; pairs need two columns of pictures"),
        ({"name": "me/texts", "streaming": True}, "has no column phone; pairs need two columns"),
    ],
)
def test_what_the_hub_has_not_is_refused(client, wanted, words):
    with pytest.raises(DslrGanError, match=words):
        client.ask("pairs", **wanted)


def test_when_the_hub_does_not_answer_the_local_copy_stands_in(hub, client):
    whole = client.ask("pairs", name="me/pairs")
    hub.fail_with(401)
    try:
        # Only its licence is not kept with it.
        assert client.ask("pairs", name="me/pairs") == whole | {"terms": None}
        with pytest.raises(DslrGanError, match="local copy of me/pairs may be of another revision"):
            client.ask("pairs", name="me/pairs", revision="v1")
        with pytest.raises(DslrGanError, match="me/pairs cannot be streamed without the Hub"):
            client.ask("pairs", name="me/pairs", streaming=True)
        with pytest.raises(DslrGanError, match="^there is no folder me/other, .*no local copy"):
            client.ask("pairs", name="me/other")
    finally:
        hub.fail_with(None)


@pytest.mark.slow
def test_a_silent_hub_costs_ten_seconds_where_a_copy_is_kept(hub, client):
    """The library alone would ask again, and wait for minutes."""
    whole = client.ask("pairs", name="me/pairs")
    hub.hang_at(".*")
    began = time.monotonic()
    try:
        assert client.ask("pairs", name="me/pairs") == whole | {"terms": None}
        assert 5 < time.monotonic() - began < 20
    finally:
        hub.hang_at("")


@pytest.mark.parametrize("name", ["https://huggingface.co/datasets/me/pairs", "s3://bucket/pairs"])
def test_an_address_is_called_one(name):
    with pytest.raises(DslrGanError, match="is an address .URL.; give a Hub dataset as owner/name"):
        open_pairs(name)

"""Networks saved, pushed and loaded again: nothing lost, nothing let through."""

import dataclasses
import io
import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import dslr_gan.models.pretrained
from dslr_gan.errors import DslrGanError, InputError
from dslr_gan.hub import Origin
from dslr_gan.models.baselines import SRCNN
from dslr_gan.models.generator import Generator
from hub_card import Picture, Source, unknown_facts
from tests.support.helpers import loud
from tests.support.hub_client import HubClient
from tests.support.hub_server import HubServer

SETTINGS = [
    {},
    {"channels": 8, "blocks": 3, "dilations": (1, 2, 4)},
    {"channels": 8, "blocks": 3, "dilations": [2, 1]},
    {"channels": 8, "downscale": 4, "blocks": 1},
    {"channels": 8, "downscale": 1, "blocks": 1, "norm": "instance", "residual": False},
    {"channels": 8, "blocks": 2, "end_kernel": 9},
    {"channels": 8, "blocks": 2, "coarse_channels": 4, "context_channels": 4},
    {"channels": 8, "blocks": 1, "context_channels": 4, "context_width": 4},
]
NAMES = [
    "default",
    "tuple",
    "list",
    "folded",
    "published",
    "wide ends",
    "coarse and context",
    "wide context",
]
TINY = {"channels": 4, "blocks": 1}
FILES = ["README.md", "config.json", "facts.json", "model.safetensors"]


def picture_file(kind):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(file, kind)
    return file.getvalue()


SKY = picture_file("JPEG")

FACTS = dataclasses.replace(
    unknown_facts("Tiny generator"),
    phone="iPhone 3GS",
    steps=30_000,
    losses={"content": 1.0, "texture": 0.3},
    data=[Source(name="DPED", gave="249 pairs", terms="research", url=None, dataset_id=None)],
    licence_name="research-only",
    licence_text="for research",
)


def tiny(bias=0.25):
    """A small generator whose bias tells it from others."""
    generator = loud(TINY)
    torch.nn.init.constant_(generator.tail.bias, bias)
    return generator


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# Folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS, ids=NAMES)
def test_what_was_saved_is_what_is_loaded(tmp_path, settings):
    generator = loud(settings)
    generator.save_pretrained(tmp_path / "new/model")
    assert sorted(content(tmp_path / "new/model")) == FILES
    again = Generator.from_pretrained(tmp_path / "new/model")
    assert again.config == generator.config
    assert again.receptive_radius == generator.receptive_radius
    assert not again.training
    image = torch.rand(1, 3, 37, 42)
    with torch.inference_mode():
        result = again(image)
        assert torch.equal(result, generator(image))
        assert (result - image).abs().max() > 0.05
    assert again.origin == Origin(tmp_path / "new/model")


def test_the_weights_may_be_read_by_whoever_may_read_the_other_files(tmp_path):
    tiny().save_pretrained(tmp_path)
    assert len({(tmp_path / name).stat().st_mode for name in FILES}) == 1


def test_a_network_in_another_memory_format_is_saved_all_the_same(tmp_path):
    generator = tiny()
    generator.to(memory_format=torch.channels_last).save_pretrained(tmp_path)
    state = Generator.from_pretrained(str(tmp_path)).state_dict()
    assert all(torch.equal(state[key], value) for key, value in generator.state_dict().items())


def test_half_the_file_for_a_network_stored_as_float16_and_it_stays_so(tmp_path):
    generator = tiny()
    generator.save_pretrained(tmp_path / "whole")
    generator.stored_as = torch.float16
    generator.save_pretrained(tmp_path / "half")
    assert all(value.dtype == torch.float32 for value in generator.state_dict().values())
    sizes = [
        sum(value.nbytes for value in load_file(tmp_path / name / "model.safetensors").values())
        for name in ("whole", "half")
    ]
    assert sizes == [2 * sizes[1], sizes[1]]
    again = Generator.from_pretrained(tmp_path / "half")
    for key, value in generator.state_dict().items():
        assert again.state_dict()[key].dtype == torch.float32
        # float16 has eleven binary digits: the nearest is at most 2**-11 of the value away.
        assert torch.allclose(again.state_dict()[key], value, rtol=2**-11, atol=2**-24)
    again.save_pretrained(tmp_path / "again")
    assert content(tmp_path / "again") == content(tmp_path / "half")
    whole = Generator.from_pretrained(tmp_path / "whole")
    assert whole.stored_as == torch.float32


def test_a_weight_too_large_for_float16_is_refused_and_not_stored_as_infinity(tmp_path):
    generator = tiny(bias=70_000.0)
    generator.save_pretrained(tmp_path)
    before = content(tmp_path)
    generator.stored_as = torch.float16
    with pytest.raises(DslrGanError, match="too large for float16; store it as float32"):
        generator.save_pretrained(tmp_path)
    assert content(tmp_path) == before


def test_the_facts_travel_and_the_card_says_them(tmp_path):
    generator = tiny()
    generator.facts = FACTS
    generator.save_pretrained(tmp_path, repo_id="me/tiny")
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\n")
    for fact in ("# Tiny generator", "iPhone 3GS", "30000", "0.3 texture", "249 pairs"):
        assert fact in card
    assert 'from_pretrained("me/tiny")' in card
    assert "license_name: research-only" in card
    again = Generator.from_pretrained(tmp_path)
    assert again.facts == FACTS
    again.save_pretrained(tmp_path / "again", repo_id="me/tiny")
    assert (tmp_path / "again/README.md").read_text() == card


@pytest.mark.parametrize(
    "planted", ["link to a key", "link to a picture", "text", "a PNG", "folder"]
)
def test_only_regular_files_that_are_pictures_leave_with_a_network(planted, tmp_path, caplog):
    """A folder may be a stranger's: a link in it leads anywhere."""
    generator = tiny()
    pictures = [Picture(file="sky.jpg", shows="A sky."), Picture(file="wall.jpg", shows="A wall.")]
    generator.facts = dataclasses.replace(FACTS, pictures=pictures)
    generator.pictures = {"wall.jpg": picture_file("JPEG")}
    generator.save_pretrained(tmp_path / "out")
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    (tmp_path / "mine.jpg").write_bytes(picture_file("JPEG"))
    (tmp_path / "out/facts.json").write_text(generator.facts.to_json())
    sky = tmp_path / "out/sky.jpg"
    match planted:
        case "link to a key":
            sky.symlink_to(tmp_path / "key")
        case "link to a picture":
            sky.symlink_to(tmp_path / "mine.jpg")
        case "text":
            sky.write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
        case "a PNG":
            sky.write_bytes(picture_file("PNG"))
        case "folder":
            sky.mkdir()
    (tmp_path / "out/run.json").symlink_to(tmp_path / "key")
    files = Generator.from_pretrained(tmp_path / "out").saved_files(repo_id="me/x")
    assert sorted(files) == sorted(["LICENSE", *FILES, "wall.jpg"])
    assert not any(b"OPENSSH" in each for each in files.values())
    assert b"sky.jpg" not in files["README.md"]
    assert ("sky.jpg" in caplog.text) is (planted in ("text", "a PNG"))


def test_pictures_go_where_the_network_goes_and_no_card_shows_one_that_is_lost(tmp_path):
    generator = tiny()
    shown = [Picture(file=f"{name}.jpg", shows=f"The {name} is white.") for name in ("sky", "wall")]
    generator.facts = dataclasses.replace(FACTS, pictures=shown)
    generator.pictures = {"sky.jpg": SKY, "other.jpg": b"named by no fact"}
    generator.save_pretrained(tmp_path / "first")
    again = Generator.from_pretrained(tmp_path / "first")
    again.save_pretrained(tmp_path / "second")
    for folder in (tmp_path / "first", tmp_path / "second"):
        assert (folder / "sky.jpg").read_bytes() == SKY
        assert sorted(file.suffix for file in folder.iterdir()).count(".jpg") == 1
        card = (folder / "README.md").read_text()
        assert "![The sky is white.](sky.jpg)" in card and "wall" not in card
        assert [each.file for each in again.facts.pictures] == ["sky.jpg"]
    (tmp_path / "first/sky.jpg").unlink()
    lost = Generator.from_pretrained(tmp_path / "first")
    lost.save_pretrained(tmp_path / "third")
    assert "sky" not in (tmp_path / "third/README.md").read_text()


def test_the_card_of_a_bare_network_says_unknown(tmp_path):
    tiny().save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "# Generator\n" in card
    assert "| phone | unknown |" in card and "| steps | unknown |" in card
    assert "license: unknown" in card
    assert Generator.from_pretrained(tmp_path).facts == unknown_facts("Generator")


def test_facts_that_are_not_there_are_unknown_and_broken_ones_cost_a_warning(tmp_path, caplog):
    tiny().save_pretrained(tmp_path)
    (tmp_path / "facts.json").unlink()
    assert Generator.from_pretrained(tmp_path).facts is None
    assert not caplog.messages
    deep = "[" * 100_000
    for text, words in (
        ("{", "facts.json is left out"),
        (deep, "left out .*deep"),
        ("[]", "no JSON object"),
        ('"' + "x" * 1_000_000 + '"', "more than 1,000,000 bytes"),
    ):
        (tmp_path / "facts.json").write_text(text)
        assert Generator.from_pretrained(tmp_path).facts is None
        assert re.search(words, caplog.messages[-1]) and len(caplog.messages[-1]) < 500
    # What a later version knows, and what is broken, costs nothing of the rest.
    facts = {"title": "Tiny", "moods": {}, "steps": "many", "seed": 3, "scores": [{"a": 1}]}
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    again = Generator.from_pretrained(tmp_path)
    assert again.facts == dataclasses.replace(unknown_facts("Tiny"), seed=3)
    for words in ("'moods' is not known here", "'steps' cannot be read", "'scores' cannot be read"):
        assert words in caplog.messages[-1]


def test_a_picture_that_leads_out_of_the_folder_or_is_none_is_left_out(tmp_path):
    generator = tiny()
    names = ("inside", "link", "text")
    shown = [Picture(file=f"{name}.jpg", shows="A failure.") for name in names]
    generator.facts = dataclasses.replace(FACTS, pictures=shown)
    generator.pictures = {"inside.jpg": SKY, "link.jpg": SKY, "text.jpg": b"no picture"}
    generator.save_pretrained(tmp_path / "model")
    (tmp_path / "secret").write_bytes(SKY)
    (tmp_path / "model/link.jpg").unlink()
    (tmp_path / "model/link.jpg").symlink_to(tmp_path / "secret")
    assert Generator.from_pretrained(tmp_path / "model").pictures == {"inside.jpg": SKY}


# Strict --------------------------------------------------------------------------------------


def change_weights(folder, change):
    file = folder / "model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file)


def rename(weights):
    weights["head.kernel"] = weights.pop("head.weight")


SPOILT_WEIGHTS = {
    "missing": (lambda weights: weights.pop("tail.bias"), "lacks weights tail.bias; .*another's"),
    "surplus": (lambda weights: weights.update(more=torch.zeros(1)), "surplus weights more; "),
    "renamed": (rename, "lacks weights head.weight"),
    "misshapen": (
        lambda weights: weights.update({"tail.bias": torch.zeros(11)}),
        r"tail.bias has shape \(11,\), but the network has \(12,\)",
    ),
    "broadcast": (lambda weights: weights.update({"tail.bias": torch.zeros(1)}), r"shape \(1,\)"),
    "nan": (lambda weights: weights["head.bias"][1:2].fill_(torch.nan), "head.bias holds NaN"),
    "inf": (lambda weights: weights["head.bias"][1:2].fill_(-torch.inf), "head.bias holds NaN"),
    "double": (
        lambda weights: weights.update({"tail.bias": torch.ones(12).double() * 1e300}),
        "tail.bias holds .* too large for float32",
    ),
    **{
        str(kind): (
            lambda weights, kind=kind: weights.update({"tail.bias": torch.ones(12).to(kind)}),
            "tail.bias is stored as .*; weights are read as F16, BF16, F32, F64 only",
        )
        for kind in (torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn)
    },
    "another's": (lambda weights: weights.clear(), "lacks weights .* and [0-9]+ more; "),
}


@pytest.mark.parametrize("how", SPOILT_WEIGHTS)
def test_spoilt_weights_are_refused(tmp_path, how):
    change, sentence = SPOILT_WEIGHTS[how]
    tiny().save_pretrained(tmp_path)
    change_weights(tmp_path, change)
    with pytest.raises(DslrGanError, match=sentence):
        Generator.from_pretrained(tmp_path)


def test_a_refused_weight_leaves_the_network_as_it_was():
    generator = tiny()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    spoilt = {key: torch.ones_like(value) for key, value in before.items()}
    spoilt["tail.weight"][0, 0, 0, 0] = torch.nan
    with pytest.raises(DslrGanError, match="step 7: weight tail.weight holds NaN"):
        generator.load_strictly(spoilt, "step 7")
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_truncated_weights_are_refused(tmp_path, length):
    tiny().save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(DslrGanError, match="model.safetensors is no whole safetensors file"):
        Generator.from_pretrained(tmp_path)


def test_what_git_has_without_its_lfs_is_named(tmp_path):
    tiny().save_pretrained(tmp_path)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    (tmp_path / "model.safetensors").write_text(pointer)
    with pytest.raises(DslrGanError, match="is a pointer of Git LFS .*run `git lfs pull`"):
        Generator.from_pretrained(tmp_path)


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depth": 3}, "settings that this version does not know: depth; update"),
        ({"architecture": "SRCNN"}, "config.json does not describe a Generator"),
        ({"architecture": None}, "config.json does not say which network it describes"),
        ({"blocks": 2}, "lacks weights blocks.1"),
        ({"channels": 8}, "another's"),
        ({"channels": "4"}, "channels must be a whole number"),
        ({"dilations": 2}, "dilations must be a list of whole numbers, got 2"),
        ({"dilations": None}, "dilations must be a list"),
        ({"end_kernel": -3}, "end_kernel must be a whole number from 1 to 31, got -3"),
        ({"end_kernel": 4}, "end_kernel must be odd"),
        ({"end_kernel": 10**9}, "end_kernel must be a whole number from 1 to 31"),
        ({"channels": True}, "channels must be a whole number from 1 to 512, got True"),
        ({"channels": 4.0}, "channels must be a whole number"),
        ({"channels": 20_000}, "channels must be a whole number from 1 to 512, got 20000"),
        ({"coarse_channels": 10**9}, "coarse_channels must be a whole number from 0 to 512"),
        ({"context_channels": 10**400}, "context_channels must be .*, got 1000000.*[.][.][.]"),
        ({"blocks": 10**9}, "blocks must be a whole number from 1 to 128"),
        ({"channels": 512, "blocks": 128}, "network of .* weights; at most 100,000,000 are"),
        ({"residual": "no"}, "residual must be true or false, got no"),
        ({"dilations": [10**9]}, "dilations must be .* from 1 to 64"),
        ({"dilations": [1] * 1000}, "dilations must be 1 to 128 whole numbers"),
        ({"norm": {}}, "norm must be None or"),
        ({"x" * 100_000: 1}, "does not know: x{57}[.][.][.]; update"),
        ({"architecture": "y" * 100_000}, "config.json does not describe a Generator"),
    ],
)
def test_another_config_is_refused(tmp_path, changes, sentence):
    tiny().save_pretrained(tmp_path)
    change_config(tmp_path, **changes)
    with pytest.raises(DslrGanError, match=sentence):
        Generator.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "channels: 4", "\xff", "[" * 100_000, "1" * 9999, '{"a": "' + "a" * 1_000_000 + '"}'],
    ids=lambda text: text[:9],
)
def test_a_config_that_is_no_json_is_refused(tmp_path, text):
    tiny().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DslrGanError, match="config.json is not JSON .*; save it again"):
        Generator.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch, name):
    tiny().save_pretrained(tmp_path)

    def refuse(file, *words, **options):
        if file.name == name:
            raise PermissionError(13, "Permission denied", name)
        return opens(file, *words, **options)

    opens = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=f"{name} cannot be read .*; check its permissions"):
        Generator.from_pretrained(tmp_path)


@pytest.mark.parametrize("text", ["[]", "4", '"Generator"', "{}"])
def test_json_that_is_no_config_is_refused(tmp_path, text):
    tiny().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DslrGanError, match="config.json does not say which network"):
        Generator.from_pretrained(tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_missing_file_is_a_sentence(tmp_path, missing):
    tiny().save_pretrained(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(DslrGanError, match=f"there is no .*{missing}"):
        Generator.from_pretrained(tmp_path)


class Bomb:
    """What unpickling would set off."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_a_pickle_is_never_loaded(tmp_path):
    folder = tmp_path / "model"
    tiny().save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "gone off")))
    with pytest.raises(DslrGanError, match="safetensors files only, never a pickle"):
        Generator.from_pretrained(folder)
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    with pytest.raises(DslrGanError, match="no whole safetensors file"):
        Generator.from_pretrained(folder)
    assert not (tmp_path / "gone off").exists()


def test_each_class_loads_its_own(tmp_path):
    SRCNN().save_pretrained(tmp_path)
    with pytest.raises(DslrGanError, match="does not describe a Generator"):
        Generator.from_pretrained(tmp_path)
    assert type(SRCNN.from_pretrained(tmp_path)) is SRCNN


# Saving that fails ---------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["nan", "safetensors", "disk"])
def test_a_failed_save_leaves_the_old_network(tmp_path, monkeypatch, failing):
    tiny(0.25).save_pretrained(tmp_path)
    before = content(tmp_path)
    other = loud({"channels": 6, "blocks": 2})
    if failing == "nan":
        other.tail.bias.data[0] = torch.nan
    else:
        error = SafetensorError("no space left")
        if failing == "disk":
            error = OSError(28, "No space left on device")

        def fail(*_, **__):
            raise error

        if failing == "disk":
            monkeypatch.setattr(Path, "write_bytes", fail)
        else:
            monkeypatch.setattr(dslr_gan.models.pretrained, "save", fail)
    with pytest.raises(DslrGanError, match="NaN|no space left|No space left"):
        other.save_pretrained(tmp_path)
    assert content(tmp_path) == before
    assert Generator.from_pretrained(tmp_path).tail.bias[0] == 0.25


def test_saving_into_a_file_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file/model"):
        with pytest.raises(DslrGanError, match="cannot write the network to .*; name another"):
            tiny().save_pretrained(folder)
    assert content(tmp_path) == {"file": b"mine"}


# The Hub -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[False, True], ids=["lfs", "xet"])
def hub(request):
    """A Hub, with large files in Git LFS and in Xet storage."""
    with HubServer(xet=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def home(hub, tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(hub, home):
    with HubClient(hub, home) as started:
        yield started


@pytest.fixture
def repository(hub, request, monkeypatch):
    """A name of this test's own; an outage that it makes ends with it."""
    yield f"me/{request.node.name.replace('[', '-').rstrip(']')[:60]}"
    hub.fail_with(None)


@pytest.fixture
def folder(tmp_path):
    generator = tiny()
    generator.facts = FACTS
    generator.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def upload(hub, repository, generator, folder, branch="main"):
    """Put a generator on the Hub without its client; gives the commit."""
    generator.save_pretrained(folder)
    for file in FILES:
        commit = hub.add_file(repository, file, (folder / file).read_bytes(), branch)
    return commit


def test_push_and_pull(hub, client, repository, folder):
    address = client.ask("push", folder=str(folder), repository=repository, commit_message="One")
    commit = hub.repositories[repository].branches["main"]
    assert address == f"{hub.url}/{repository}/commit/{commit}"
    stored = hub.repositories[repository].files("main")
    assert sorted(stored) == [".gitattributes", "LICENSE", *FILES]
    assert stored["model.safetensors"].content == (folder / "model.safetensors").read_bytes()
    card = stored["README.md"].content.decode()
    assert f'from_pretrained("{repository}")' in card and "iPhone 3GS" in card

    loaded = client.ask("load", name=repository)
    assert (loaded["commit"], loaded["answered"]) == (commit, True)
    assert (loaded["bias"], loaded["title"]) == (0.25, "Tiny generator")
    # The card is for people; weights, settings and facts are all that is fetched.
    fetched = {request.path.rsplit("/", 1)[1] for request in hub.requests if request.status == 200}
    assert "README.md" not in fetched and "config.json" in fetched


def test_push_to_a_branch_leaves_main_alone(hub, client, repository, folder, tmp_path):
    first = upload(hub, repository, tiny(0.5), tmp_path / "first")
    client.ask("push", folder=str(folder), repository=repository, branch="try/out")
    assert hub.repositories[repository].branches["main"] == first
    assert client.ask("load", name=repository)["bias"] == 0.5
    assert client.ask("load", name=repository, revision="try/out")["bias"] == 0.25


def test_revision_by_branch_tag_and_commit(hub, client, repository, tmp_path):
    first = upload(hub, repository, tiny(1.0), tmp_path / "1")
    hub.repositories[repository].tags["v1.0"] = first
    second = upload(hub, repository, tiny(2.0), tmp_path / "2")
    third = upload(hub, repository, tiny(3.0), tmp_path / "3", branch="next")

    def loaded(revision):
        answer = client.ask("load", name=repository, revision=revision)
        return answer["commit"], answer["bias"]

    assert loaded(None) == loaded("main") == loaded(second) == (second, 2.0)
    assert loaded("v1.0") == loaded(first) == (first, 1.0)
    assert loaded("next") == (third, 3.0)
    fourth = upload(hub, repository, tiny(4.0), tmp_path / "4")
    assert loaded(None) == (fourth, 4.0)


def test_another_name_or_revision_is_a_sentence(hub, client, repository, tmp_path):
    with pytest.raises(DslrGanError, match=f"the Hub has no {repository}; check the spelling"):
        client.ask("load", name=repository)
    upload(hub, repository, tiny(), tmp_path / "1")
    client.ask("load", name=repository)
    with pytest.raises(DslrGanError, match=f"no revision 'v2.0' of {repository}; check"):
        client.ask("load", name=repository, revision="v2.0")
    with pytest.raises(DslrGanError, match="is not a Hub id"):
        client.ask("load", name="me/model-")


def test_a_repository_without_a_network_is_a_sentence(hub, client, repository, tmp_path):
    hub.add_file(repository, "README.md", b"---\n---\n")
    hub.add_file(repository, "pytorch_model.bin", b"pickle")
    with pytest.raises(DslrGanError, match=f"there is no config.json in {repository} at commit"):
        client.ask("load", name=repository)
    (tmp_path / "nan").mkdir()
    upload(hub, repository, tiny(), tmp_path / "nan")
    change_weights(tmp_path / "nan", SPOILT_WEIGHTS["nan"][0])
    spoilt = (tmp_path / "nan/model.safetensors").read_bytes()
    hub.add_file(repository, "model.safetensors", spoilt)
    with pytest.raises(DslrGanError, match="head.bias holds NaN"):
        client.ask("load", name=repository)


def test_while_the_hub_is_away_its_local_copy_stands_in(hub, client, repository, tmp_path):
    first = upload(hub, repository, tiny(1.0), tmp_path / "1")
    hub.repositories[repository].tags["v1.0"] = first
    second = upload(hub, repository, tiny(2.0), tmp_path / "2")
    for revision in (None, "v1.0"):
        client.ask("load", name=repository, revision=revision)
    hub.fail_with(503)
    for revision, commit, bias in [
        (None, second, 2.0),
        ("main", second, 2.0),
        ("v1.0", first, 1.0),
        (first, first, 1.0),
    ]:
        answer = client.ask("load", name=repository, revision=revision)
        assert (answer["commit"], answer["bias"], answer["answered"]) == (commit, bias, False)
    with pytest.raises(DslrGanError, match="could not be fetched .* no local copy") as caught:
        client.ask("load", name=repository, revision="v2.0")
    assert "local_files_only" not in str(caught.value)


def test_while_the_hub_is_away_nothing_else_stands_in(hub, client, repository, folder):
    hub.fail_with(503)
    with pytest.raises(DslrGanError, match=f"{repository} could not be fetched from the Hub"):
        client.ask("load", name=repository)
    with pytest.raises(
        DslrGanError, match=f"the Hub does not take {repository} .*check the network"
    ):
        client.ask("push", folder=str(folder), repository=repository)
    hub.fail_with(None)
    with pytest.raises(DslrGanError, match="the Hub does not take a/b/c .*check the name"):
        client.ask("push", folder=str(folder), repository="a/b/c")
    with pytest.raises(
        DslrGanError, match=f"the Hub does not take {repository} .*the argument token"
    ):
        client.ask("push", folder=str(folder), repository=repository, token="hf_wrong")
    assert repository not in hub.repositories


def test_without_any_hub(hub, client, home, repository, tmp_path):
    commit = upload(hub, repository, tiny(), tmp_path / "1")
    client.ask("load", name=repository)
    # Another process, where nobody listens.
    with HubClient(hub, home, HF_ENDPOINT="http://127.0.0.1:9") as alone:
        answer = alone.ask("load", name=repository)
        assert (answer["commit"], answer["answered"]) == (commit, False)
        with pytest.raises(DslrGanError, match="could not be fetched from the Hub"):
            alone.ask("load", name="me/other")


def test_a_pull_request_is_made_instead_of_a_commit(hub, client, repository, folder, tmp_path):
    commit = upload(hub, repository, tiny(0.5), tmp_path / "1")
    address = client.ask("push", folder=str(folder), repository=repository, create_pr=True)
    assert address == f"{hub.url}/{repository}/discussions/1"
    assert hub.repositories[repository].branches["main"] == commit
    assert client.ask("load", name=repository)["bias"] == 0.5
    assert client.ask("load", name=repository, revision="refs/pr/1")["bias"] == 0.25
    with pytest.raises(DslrGanError, match="a pull request goes to main; leave out the branch x"):
        client.ask("push", folder=str(folder), repository=repository, create_pr=True, branch="x")


def test_the_arguments_of_the_client_s_own_mixin(hub, client, repository, tmp_path):
    commit = upload(hub, repository, tiny(), tmp_path / "1")
    options = {"name": repository, "cache_dir": str(tmp_path / "cache")}
    with pytest.raises(DslrGanError, match=f"no local copy of {repository}.*leave it out"):
        client.ask("load", **options, local_files_only=True)
    first = client.ask("load", **options, token=False)
    assert Path(first["folder"]).is_relative_to(tmp_path / "cache")
    before = len(hub.requests)
    copy = client.ask("load", **options, local_files_only=True)
    assert copy == first | {"answered": False} and len(hub.requests) == before
    client.ask("load", **options)
    assert not [each for each in hub.requests[before:] if "/resolve/" in each.path]
    client.ask("load", **options, force_download=True)
    fetched = {each.path.rpartition("/")[2] for each in hub.requests[before:] if each.sent}
    assert {"config.json", "facts.json"} <= fetched
    assert copy["commit"] == commit


SMALL = ["config.json", "facts.json"]


def damaged(content):
    """Content of the same length that can still be read: another word, other finite weights."""
    if content.startswith(b"{"):
        return content.replace(b"Generator", b"Generatos")
    return content[:-1] + (b"\x3d" if content[-1:] != b"\x3d" else b"\x3c")


def play_damage(hub, repository, file):
    """Let the Hub send something else than its listing promises; gives how to end that."""
    files = hub.repositories[repository].files("main")
    stored = files[file]
    if stored.large:
        hub.blobs[stored.sha256] = damaged(stored.content)
        return lambda: hub.blobs.update({stored.sha256: stored.content})
    files[file] = dataclasses.replace(stored, sent=damaged(stored.content))
    return lambda: files.update({file: stored})


@pytest.mark.parametrize("file", [*SMALL, "model.safetensors"])
def test_a_damaged_download_is_refused_and_not_kept(hub, client, repository, tmp_path, file):
    upload(hub, repository, loud(TINY), tmp_path / "1")
    end = play_damage(hub, repository, file)
    before = len(hub.requests)
    if file == "facts.json":
        assert client.ask("load", name=repository)["title"] is None
    else:
        words = f"{repository} could not be fetched .*{file} was damaged .* check the network"
        with pytest.raises(DslrGanError, match=words):
            client.ask("load", name=repository)
    if file in SMALL:  # a large one comes from a storage host, or through Xet
        sent = [each for each in hub.requests[before:] if each.path.endswith(file) and each.sent]
        assert len(sent) == 2, "not fetched anew once"
    end()
    assert client.ask("load", name=repository)["title"] == "Generator"


def damage(file):
    """Change a file of the cache where it really is, which may be read-only."""
    real = file.resolve()
    real.chmod(0o644)
    real.write_bytes(damaged(real.read_bytes()))


@pytest.fixture
def cached(hub, client, repository, tmp_path):
    """The snapshot of a repository in the client's cache."""
    upload(hub, repository, loud(TINY), tmp_path / "uploaded")
    return Path(client.ask("load", name=repository)["folder"])


def test_damage_in_the_cache_is_noticed_and_mended(hub, client, repository, cached):
    for file in ("config.json", "facts.json", "model.safetensors"):
        whole = (cached / file).read_bytes()
        damage(cached / file)
        client.ask("load", name=repository)
        assert (cached / file).read_bytes() == whole
        damage(cached / file)
        hub.fail_with(503)
        if file == "facts.json":
            assert client.ask("load", name=repository)["title"] is None
        else:
            words = f"{file} of {repository} was damaged .* not answer"
            with pytest.raises(DslrGanError, match=words):
                client.ask("load", name=repository)
        hub.fail_with(None)
        assert client.ask("load", name=repository)["answered"]


@pytest.mark.slow
def test_a_cache_without_links_is_checked_and_mended_alike(hub, repository, tmp_path):
    upload(hub, repository, loud(TINY), tmp_path / "uploaded")
    home = tmp_path / "home"
    with HubClient(hub, home, HF_HUB_DISABLE_SYMLINKS="1") as client:
        folder = Path(client.ask("load", name=repository)["folder"])
        for file in (*SMALL, "model.safetensors"):
            assert not (folder / file).is_symlink()
            whole = (folder / file).read_bytes()
            damage(folder / file)
            client.ask("load", name=repository)
            assert (folder / file).read_bytes() == whole


def test_two_repositories_with_the_same_weights_do_no_harm_to_each_other(
    hub, client, repository, cached, tmp_path
):
    upload(hub, f"{repository}-2", loud(TINY), tmp_path / "same")
    other = Path(client.ask("load", name=f"{repository}-2")["folder"])
    weights = (cached / "model.safetensors", other / "model.safetensors")
    damage(weights[0])
    for name in (repository, f"{repository}-2"):
        client.ask("load", name=name)
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert weights[0].is_symlink() and weights[1].is_symlink()

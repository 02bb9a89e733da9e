"""The command push, against a Hub."""

import re
import shlex
import subprocess
import sys

import huggingface_hub
import pytest

from dslr_gan.__main__ import main
from dslr_gan.hub import sending
from dslr_gan.models.phones import PHONES
from dslr_gan.models.registry import make_network
from tests.support.hub_server import Answer, HubServer, take_for_the_hub
from tests.support.paths import ROOT
from tests.support.trainer import make_dped


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path)
        monkeypatch.setattr(sending, "WAITS_S", (0.01, 0.01))
        yield server


@pytest.fixture
def model(tmp_path):
    """A folder of a model that is fast."""
    folder = tmp_path / "runs/x/generator"
    make_network("srcnn").save_pretrained(folder)
    return folder


def stored(hub, repository, branch="main"):
    files = hub.repositories[repository].files(branch)
    return {name: file.content for name, file in files.items() if name != ".gitattributes"}


def test_a_bundled_model_is_pushed_with_its_card_pictures_and_terms(hub, capsys):
    words = ["push", "sony", "--repo", "me/x", "--private", "--tag", "v1", "--space", "me/page"]
    assert main(words) == 0
    out = capsys.readouterr().out
    found = hub.repositories["me/x"]
    assert out == f"pushed: {hub.url}/me/x/commit/{found.tags['v1']}\n" and found.private
    files, folder = stored(hub, "me/x", "v1"), PHONES["sony"].folder
    for name in ("config.json", "failure-coffee.jpg"):
        assert files[name] == (folder / name).read_bytes()
    assert {"LICENSE", "before-after.jpg", "facts.json", "model.safetensors"} <= files.keys()
    card = files["README.md"].decode()
    assert 'from_pretrained("me/x")' in card and "spaces/me/page" in card
    assert re.match(r"dslr_gan Sony: step \d+, PSNR ", found.messages[found.tags["v1"]])


def test_a_dry_run_lists_files_and_sizes_and_asks_nobody(hub, model, capsys):
    assert main(["push", str(model), "--repo", "me/x", "--dry-run"]) == 0
    out = capsys.readouterr().out
    size = f"{(model / 'model.safetensors').stat().st_size:,}"
    assert f"{size}  model.safetensors\n" in out and "before-after.jpg" in out
    assert re.search(r"5 files, [\d,]+ bytes, for the model me/x; nothing was sent\.\n$", out)
    assert hub.requests == [] and hub.repositories == {}


def test_what_fails_names_the_command_and_loses_nothing(hub, model, capsys):
    before = {file.name: file.read_bytes() for file in model.iterdir()}
    hub.fail_at("POST .*/commit/.*", 503)
    words = ["push", str(model), "--repo", "me/x", "--tag", "v1", "--message", "So far"]
    assert main(words) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("dslr_gan: the Hub does not take me/x (")
    assert f"`python -m dslr_gan {shlex.join(words)}` pushes it again" in error
    assert {file.name: file.read_bytes() for file in model.iterdir()} == before
    hub.refusals.clear()
    assert main(["push", str(model), "--repo", "me/x", "--tag", "v1"]) == 0
    assert stored(hub, "me/x", "v1")["model.safetensors"] == before["model.safetensors"]


def broken_model(folder):
    make_network("srcnn").save_pretrained(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    return "no whole safetensors file"


def no_settings(folder):
    make_network("srcnn").save_pretrained(folder)
    (folder / "config.json").unlink()
    return "there is no .*config.json; a saved network has config.json and model.safetensors"


def broken_pairs(folder):
    make_dped(folder, train=3, test=1)
    picture = next(folder.rglob("*.png"))
    picture.write_bytes(picture.read_bytes()[:99])
    return "is no whole picture"


def broken_shard(folder):
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("---\n---\n")
    (folder / "data/train-00000-of-00001.parquet").write_bytes(b"PAR1 cut")
    return "is no whole Parquet file .*; prepare the pairs again"


@pytest.mark.parametrize("spoil", [broken_model, no_settings, broken_pairs, broken_shard])
def test_a_broken_folder_is_told_before_anything_is_made_on_the_hub(spoil, hub, tmp_path, capsys):
    words = spoil(tmp_path / "x")
    assert main(["push", str(tmp_path / "x"), "--repo", "me/x", "--private"]) == 1
    error = capsys.readouterr().err
    assert re.search(words, error) and error.count("\n") == 1
    assert hub.repositories == {} and not [each for each in hub.requests if each.method == "POST"]


def test_who_may_not_push_hears_so_before_the_folder_is_read(hub, tmp_path, capsys):
    hub.role = "read"
    broken_pairs(tmp_path / "x")
    assert main(["push", str(tmp_path / "x"), "--repo", "me/x"]) == 1
    assert "may only read" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path",
    ["/api/repos/create", ".*/refs", ".*/batch", ".*/tree/.*", ".*/preupload/.*", ".*/commit/.*"],
)
@pytest.mark.parametrize("answer", [[], [7], {}], ids=str)
@pytest.mark.slow
def test_an_answer_that_is_not_the_hubs_is_one_message(path, answer, hub, model, capsys):
    hub.faults.add(path, Answer(answer))
    code = main(["push", str(model), "--repo", "me/x", "--tag", "v1", "--hub-timeout", "5"])
    words = capsys.readouterr().err
    if code:
        (line,) = [each for each in words.splitlines() if each.startswith("dslr_gan: the Hub")]
        assert line.startswith("dslr_gan: the Hub does not take me/x (") or "are on the Hub" in line
    assert code == 1 or stored(hub, "me/x", "v1")
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--repo", "me/x"], "there is no folder nowhere; name one, or one of iphone"),
        (["iphone", "--repo", "x"], "'x' has no owner; give a Hub id such as me/dslr-gan"),
        (["iphone", "--repo", "me/x", "--pr", "--tag", "v1"], "cannot be tagged before"),
        (
            ["iphone", "--repo", "me/x", "--tag", "a b"],
            "'a b' cannot be the name of a",
        ),
        (["iphone", "--repo", "me/x", "--branch", ".."], "'..' cannot be the name of a"),
        (["iphone", "--repo", "me/x", "--pr", "--branch", "b"], "a pull request goes to main"),
        (["iphone", "--repo", "me/x", "--space", "me/<b>"], "'me/<b>' is not a Hub id such as me/"),
        (["iphone", "--repo", "me/x", "--sony", "a/b"], "--sony has no meaning with iphone"),
        (
            ["space", "--repo", "me/x", "--iphone", "a b", "--dry-run"],
            "there is no folder a b, and it is not a Hub id",
        ),
        (["space", "--repo", "me/x", "--space", "a/b"], "--space has no meaning with space"),
    ],
)
def test_a_mistake_is_one_message_before_anything_is_asked(words, message, hub, capsys):
    assert main(["push", *words]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert hub.requests == []


def test_a_folder_that_is_nothing_we_know_is_a_message(hub, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["push", str(tmp_path / "empty"), "--repo", "me/x", "--dry-run"]) == 1
    assert "must hold one sub-folder of phone pictures" in capsys.readouterr().err


def test_a_folder_of_pairs_is_pushed_as_a_dataset(hub, tmp_path, capsys):
    folder = make_dped(tmp_path / "dped/iphone", train=3, test=1)
    assert main(["push", str(folder), "--repo", "me/pairs", "--pr"]) == 0
    assert "/datasets/me/pairs/discussions/1" in capsys.readouterr().out
    files = stored(hub, "datasets/me/pairs", "refs/pr/1")
    assert sorted(files) == ["README.md", "data/test-00000-of-00001.parquet",
                             "data/train-00000-of-00001.parquet", "source.json"]  # fmt: skip
    assert stored(hub, "datasets/me/pairs") == {}


def test_the_page_is_pushed_as_a_space_with_what_it_needs_and_no_more(hub, capsys):
    commit = hub.add_file("me/model", "config.json", b"{}")
    hub.repositories["me/model"].tags["v1"] = commit
    hub.add_file("spaces/me/page", "dslr_gan/old.py", b"gone since")
    hub.add_file("spaces/me/page", "notes.txt", b"of a person")
    assert main(["push", "space", "--repo", "me/page", "--iphone", "me/model@v1"]) == 0
    space = hub.repositories["spaces/me/page"]
    files = stored(hub, "spaces/me/page")
    assert space.variables == {"DSLR_GAN_IPHONE_REPO": "me/model@v1"}
    for name in ("app.py", "requirements.txt", "pyproject.toml", "LICENSE", "docs/page.jpg",
                 "dslr_gan/page/viewer/viewer.css", "dslr_gan/weights/sony/model.safetensors",
                 "hub_card/template.md"):  # fmt: skip
        assert files[name] == (ROOT / name).read_bytes()
    assert files["notes.txt"] == b"of a person" and "dslr_gan/old.py" not in files
    roots = {name.partition("/")[0] for name in files}
    assert not roots & {"tests", "benchmarks", "scripts", "recipes", ".ci"}
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in files)
    card = huggingface_hub.RepoCard(files["README.md"].decode())
    assert card.data["models"] == ["timm/vgg16.tv_in1k", "me/model"]
    preloaded = f"me/model config.json,model.safetensors,facts.json {commit}"
    assert card.data["preload_from_hub"] == [preloaded]
    assert card.data["sdk"] == "gradio" and card.data["app_file"] == "app.py"
    assert card.text.strip().startswith("# dslr_gan")


@pytest.mark.slow
def test_the_same_by_the_name_of_the_cards_package():
    words = ["-m", "hub_card", "space", "--repo", "me/page", "--dry-run"]
    ended = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0 and "for the space me/page; nothing was sent." in ended.stdout

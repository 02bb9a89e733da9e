"""The Space as it is pushed: its files alone start the page, and can be installed."""

import posixpath
import re
import subprocess
import sys

import gradio
import huggingface_hub
import pytest
from gradio_client import Client, handle_file

from dslr_gan.__main__ import main
from dslr_gan.hub.space import space_files
from tests.models.test_pretrained import tiny
from tests.support.app_server import running_app, save_phone_photo
from tests.support.hub_server import HubServer, hub_environment, take_for_the_hub
from tests.support.paths import ROOT


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path / "home")
        yield server


def test_the_head_of_the_readme_is_what_a_space_is_built_from():
    """By the reference of Spaces: Python 3.x, a release of Gradio, at most 60 letters."""
    card = huggingface_hub.RepoCard.load(ROOT / "README.md").data
    requirements = (ROOT / "requirements.txt").read_text()
    assert card["sdk"] == "gradio" and f"gradio=={card['sdk_version']}\n" in requirements
    assert card["sdk_version"] == gradio.__version__
    assert re.fullmatch(r"3\.\d+", card["python_version"])
    assert (ROOT / card["app_file"]).is_file() and len(card["short_description"]) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {card["colorFrom"], card["colorTo"]} <= colours


def test_every_link_of_the_readme_leads_to_a_file_that_is_pushed():
    files = space_files(ROOT, {}, look=False)
    unread, read = ["README.md"], set()
    while unread:
        name = unread.pop()
        read.add(name)
        assert name in files, name
        if name.endswith(".md"):
            content = files[name]
            text = content.decode() if isinstance(content, bytes) else content.read_text()
            links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
            here = posixpath.dirname(name)
            unread += {posixpath.normpath(posixpath.join(here, link)) for link in links} - read
    assert {"docs/hub.md", "docs/panels.jpg", "CONTRIBUTING.md", "CHANGELOG.md"} <= read


@pytest.mark.slow
def test_what_is_pushed_starts_from_its_folder_alone_and_can_be_installed(
    hub, tmp_path, monkeypatch
):
    tiny(0.5).save_pretrained(tmp_path / "pushed")
    for name in ("config.json", "model.safetensors"):
        commit = hub.add_file("me/m", name, (tmp_path / "pushed" / name).read_bytes())
    assert main(["push", "space", "--repo", "me/page", "--iphone", f"me/m@{commit}"]) == 0

    folder = tmp_path / "space"
    huggingface_hub.snapshot_download("me/page", repo_type="space", local_dir=folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    set_there = hub.repositories["spaces/me/page"].variables
    environment = hub_environment(hub, tmp_path / "other home") | set_there
    photo = save_phone_photo(tmp_path / "photo.jpg", 96, 64)
    with running_app(tmp_path, folder / "app.py", **environment) as address:
        page = Client(address, download_files=tmp_path / "got", verbose=False)
        _, told = page.predict(handle_file(photo), api_name="/enhance")
    assert f"Hub repository me/m at commit {commit[:8]}" in str(told)

    flags = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *flags, tmp_path / "installed", folder],
        check=True,
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    words = ["enhance", "photo.jpg", "--out", "out"]
    ended = subprocess.run(
        [sys.executable, "-m", "dslr_gan", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.stdout == "1 photo enhanced into out, with bundled iPhone weights.\n"

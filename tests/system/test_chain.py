"""The whole chain: train on two processes, stop, go on, push, load, serve, publish, go offline."""

import subprocess
import sys
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests.support.app_server import difference, running_app, save_phone_photo
from tests.support.hub_server import HubServer, hub_environment
from tests.support.trainer import ROOT, SHORT, make_dped, train

REPOSITORY, DATASET, SPACE = "tester/dslr-gan-iphone", "tester/pairs", "tester/page"

LOAD = f"""
import datasets
from PIL import Image
from dslr_gan import Generator, PhotoEnhancer
generator = Generator.from_pretrained("{REPOSITORY}", revision="v1")
enhancer = PhotoEnhancer.from_pretrained("iphone")
assert enhancer.enhance(Image.new("RGB", (40, 30))).size == (40, 30)
pairs = datasets.load_dataset("{DATASET}")
assert len(pairs["train"]) == 10 and pairs["test"][0]["dslr"].size == (48, 48)
print(generator.facts.steps)
print(generator.origin.commit)
print(enhancer.source)
"""


def run(words: list[object], environment: dict[str, str]) -> str:
    ended = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def enhance_on_the_page(folder: Path, photo: Path, environment: dict[str, str]) -> str:
    """Start the page, enhance a photo there, and give what it says of its model."""
    with running_app(folder, **environment) as address:
        client = Client(address, verbose=False, download_files=str(folder / "downloads"))
        file, details, *_ = client.predict(
            photo=handle_file(photo), phone="iphone", strength=1.0, api_name="/enhance"
        )
    enhanced = Image.open(file)
    assert enhanced.size == (320, 240)
    assert difference(enhanced, Image.open(photo)) > 0
    return details["source"]


@pytest.mark.slow
def test_train_stop_resume_push_load_serve_publish_and_go_offline(tmp_path):
    pairs = make_dped(tmp_path / "dped/iphone")
    out = tmp_path / "run"
    arguments = ["--pairs", pairs, "--output_dir", out, "--checkpointing_steps", 2,
                 "--validation_steps", 2, "--architecture", "detail", *SHORT]  # fmt: skip
    pushing = ["--push_to_hub", "--hub_model_id", REPOSITORY, "--hub_tag", "v1", "--hub_private",
               "--hub_space", SPACE]  # fmt: skip
    photo = save_phone_photo(tmp_path / "photo.jpg", 320, 240)
    with HubServer(xet=True) as hub:
        environment = hub_environment(hub, tmp_path / "hub_home")

        stopped = train([*arguments, "--max_train_steps", 2], processes=2)
        assert stopped.returncode == 0, stopped.stderr
        pushed = train(
            [*arguments, "--max_train_steps", 4, "--resume_from_checkpoint", "latest", *pushing],
            processes=2,
            environment=environment,
        )
        assert pushed.returncode == 0, pushed.stderr
        assert "going on from" in pushed.stderr
        found = hub.repositories[REPOSITORY]
        assert found.private and found.tags == {"v1": found.branches["main"]}
        assert len(found.commits) == 2, "the repository's own first, and ours"
        files = found.files("v1")
        assert {"model.safetensors", "config.json", "facts.json", "README.md", "curves.png",
                "samples.png", "run.json", "before-after.jpg"} <= files.keys()  # fmt: skip
        assert "PSNR" in found.messages[found.tags["v1"]]
        assert any("xet-write-token" in each.path for each in hub.requests)

        words = ["-m", "dslr_gan", "push"]
        run([*words, pairs, "--repo", DATASET], environment)
        run([*words, "space", "--repo", SPACE, "--iphone", f"{REPOSITORY}@v1"], environment)
        space = hub.repositories[f"spaces/{SPACE}"]
        assert space.variables == {"DSLR_GAN_IPHONE_REPO": f"{REPOSITORY}@v1"}
        preloaded = space.files("main")["README.md"].content.decode()
        assert f"{REPOSITORY} config.json,model.safetensors,facts.json {found.tags['v1']}" in (
            " ".join(preloaded.split())
        )

        environment["DSLR_GAN_IPHONE_REPO"] = REPOSITORY
        steps, commit, source = run(["-c", LOAD], environment).strip().splitlines()
        assert commit == found.tags["v1"]
        assert f"step {steps}" in found.messages[commit]
        assert source == f"Hub repository {REPOSITORY} at commit {commit[:8]}"
        assert enhance_on_the_page(tmp_path, photo, environment) == source

        hub.stop()
        alone = run(["-c", LOAD], environment).strip().splitlines()
        assert alone[:2] == [steps, commit]
        assert alone[2].startswith(source) and "local copy" in alone[2]
        said = enhance_on_the_page(tmp_path, photo, environment)
        assert said.startswith(source) and "local copy" in said

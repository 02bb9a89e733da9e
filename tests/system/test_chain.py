"""The whole chain: train on two processes, stop, go on, push, load, serve, enhance."""

import subprocess
import sys

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests.support.app_server import difference, running_app, save_phone_photo
from tests.support.hub_server import HubServer, hub_environment
from tests.support.trainer import ROOT, SHORT, make_dped, train

REPOSITORY = "tester/dslr-gan-iphone"

LOAD = f"""
from PIL import Image
from dslr_gan import Generator, PhotoEnhancer
generator = Generator.from_pretrained("{REPOSITORY}")
assert generator.facts.steps == 4
enhancer = PhotoEnhancer.from_pretrained("iphone")
assert enhancer.enhance(Image.new("RGB", (40, 30))).size == (40, 30)
print(generator.origin.commit)
print(enhancer.source)
"""


@pytest.mark.slow
def test_train_stop_resume_push_load_serve_enhance(tmp_path):
    pairs = make_dped(tmp_path / "dped/iphone")
    out = tmp_path / "run"
    arguments = ["--pairs", pairs, "--output_dir", out, "--checkpointing_steps", 2,
                 "--validation_steps", 2, "--architecture", "detail", *SHORT]  # fmt: skip
    with HubServer() as hub:
        environment = hub_environment(hub, tmp_path / "hub_home")

        stopped = train([*arguments, "--max_train_steps", 2], processes=2)
        assert stopped.returncode == 0, stopped.stderr
        pushed = train(
            [
                *arguments,
                "--max_train_steps",
                4,
                "--resume_from_checkpoint",
                "latest",
                "--push_to_hub",
                "--hub_model_id",
                REPOSITORY,
            ],  # fmt: skip
            processes=2,
            environment=environment,
        )
        assert pushed.returncode == 0, pushed.stderr
        assert "going on from" in pushed.stderr
        files = hub.repositories[REPOSITORY].files("main")
        assert {"model.safetensors", "config.json", "facts.json", "README.md"} <= files.keys()

        environment["DSLR_GAN_IPHONE_REPO"] = REPOSITORY
        loaded = subprocess.run(
            [sys.executable, "-c", LOAD],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert loaded.returncode == 0, loaded.stderr
        commit, source = loaded.stdout.strip().splitlines()
        assert source == f"Hub repository {REPOSITORY} at commit {commit[:8]}"

        photo = save_phone_photo(tmp_path / "photo.jpg", 320, 240)
        with running_app(tmp_path, **environment) as address:
            client = Client(address, verbose=False, download_files=str(tmp_path / "downloads"))
            file, details, *_ = client.predict(
                photo=handle_file(photo), phone="iphone", strength=1.0, api_name="/enhance"
            )
        assert details["source"] == source
        enhanced = Image.open(file)
        assert enhanced.size == (320, 240)
        assert difference(enhanced, Image.open(photo)) > 0

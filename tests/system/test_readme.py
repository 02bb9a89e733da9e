"""The README: what it says is so."""

import re
import subprocess
import sys

import skimage.data
from huggingface_hub import RepoCard
from PIL import Image

from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_front_matter_makes_a_space_of_the_pinned_gradio():
    data = RepoCard(README).data.to_dict()
    requirements = (ROOT / "requirements.txt").read_text()
    assert data["sdk"] == "gradio"
    assert f"gradio=={data['sdk_version']}\n" in requirements
    assert (ROOT / data["app_file"]).is_file()
    assert data["python_version"] == "3.11" and data["license"] == "apache-2.0"
    assert data["models"] and data["tags"] and len(data["short_description"]) <= 60


def test_every_requirement_is_pinned():
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text().splitlines()
        wanted = [line for line in lines if line and not line.startswith(("#", "-r"))]
        assert wanted and all(re.fullmatch(r"[\w-]+==[\d.]+", line) for line in wanted)


def test_quickstart_runs_as_it_is_printed(tmp_path):
    code = re.search(r"<!-- quickstart -->\n```python\n(.*?)```", README, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 6
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "photo.jpg")
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    enhanced = Image.open(tmp_path / "enhanced.jpg")
    assert enhanced.size == Image.open(tmp_path / "photo.jpg").size


def test_the_tree_names_every_module():
    tree = re.search(r"## What lies where\n\n```\n(.*?)```", README, re.DOTALL)[1]
    named = {line.split()[0] for line in tree.splitlines()}
    assert all((ROOT / name).exists() for name in named)
    modules = [*ROOT.glob("*.py"), *(ROOT / "dslr_gan").glob("*.py")]
    expected = {str(file.relative_to(ROOT)) for file in modules} - {"dslr_gan/__init__.py"}
    assert expected <= named


def test_ci_runs_the_readme_s_test_command():
    command = "pip install -r requirements-dev.txt && pytest -n 2 --dist worksteal"
    assert f"\n{command}\n" in README
    assert f"\n{command}\n" in (ROOT / ".ci/run").read_text()


def test_local_links_and_pictures_exist():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target

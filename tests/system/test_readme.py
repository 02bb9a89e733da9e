"""The pages for readers: what README, CONTRIBUTING and docs/ say is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
from huggingface_hub import RepoCard
from PIL import Image

from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
MOST_LINES = 130
MOST_WORDS = 25


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def sentences(text: str) -> list[str]:
    """The sentences of a page of Markdown, without its front matter, code, tables and comments."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^(\||#).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    paragraphs = re.split(r"\n\s*\n|\n- ", text)
    return [
        sentence
        for paragraph in paragraphs
        for sentence in re.split(r"(?<=[.!?:;])\s+", " ".join(paragraph.split()))
        if sentence
    ]


def anchors(page: Path) -> set[str]:
    """What links may name behind a page's #: its headings as the Hub and GitHub write them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tables(page: Path, name: str) -> list[dict[str, str]]:
    """The rows of the first table between two marks of a page, each by its columns."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}:[^\n]*-->\n(.*?)<!-- end of {name}", text, re.DOTALL)
    first = found[1].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in first]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


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


def test_the_readme_is_short():
    assert len(README.splitlines()) <= MOST_LINES
    long = [sentence for sentence in sentences(README) if len(sentence.split()) > MOST_WORDS]
    assert long == []


def test_the_readme_s_results_are_the_means_of_table_one():
    full = tables(ROOT / "docs/results.md", "table 1")
    rows = {row["method"]: row for row in tables(ROOT / "README.md", "results")}
    assert "bundled model" in rows
    for phone in ("iPhone", "Sony"):
        measured = [
            (row["method"].replace(f"bundled {phone} model", "bundled model"), list(row.values()))
            for row in full
            if row["phone"] == phone.lower() and row["method"] != "DSLR photo"
        ]
        assert measured
        for method, cells in measured:
            (row,) = [row for name, row in rows.items() if method.startswith(name)]
            (printed,) = [value for column, value in row.items() if column.startswith(phone)]
            assert printed == " / ".join(cell.partition(" [")[0] for cell in cells[3:6])


def test_ci_runs_the_readme_s_test_command():
    command = "pip install -r requirements-dev.txt && pytest"
    assert f"\n{command}\n" in README
    assert f"\n{command}\n" in (ROOT / ".ci/run").read_text()


def test_contributing_names_every_room():
    rooms = re.search(r"## The rooms\n\n```\n(.*?)```", CONTRIBUTING, re.DOTALL)[1]
    words = rooms.split()
    assert all((ROOT / word).exists() for word in words if word.endswith(("/", ".py")))
    package = ROOT / "dslr_gan"
    expected = {f"dslr_gan/{file.parent.name}/" for file in package.glob("*/__init__.py")}
    expected |= {f"dslr_gan/{file.name}" for file in package.glob("[a-z]*.py")}
    assert expected <= set(words)


def test_contributing_names_the_targets_of_make():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert len(targets) <= 6
    assert targets == set(re.findall(r"`make (\w+)`", CONTRIBUTING))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_local_links_and_pictures_exist(page):
    for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_name_modules_that_exist(page):
    # The changelog also names what there was.
    text = page.read_text(encoding="utf-8").split("## What moved")[0]
    for module in re.findall(r"(?:python\s+-m|launch\s+-m)\s+([\w.]+)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT], ids=page_name)
def test_the_index_of_the_docs_leads_to_every_page(page):
    def linked(text: str) -> set[str]:
        return set(re.findall(r"\]\(([\w.]+\.md)", text))

    index = ROOT / "docs/README.md"
    found = linked(index.read_text(encoding="utf-8"))
    for name in tuple(found):
        found |= linked((index.parent / name).read_text(encoding="utf-8"))
    assert page == index or page.name in found

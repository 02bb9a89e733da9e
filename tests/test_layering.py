"""The house: imports between its rooms point down, and files of a room import without a circle."""

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from tests.support.paths import ROOT

FLOORS = (
    "app train_accelerate __main__",
    "cli page training",
    "prepare evaluation",
    "enhance data",
    "models metrics",
    "hub photo",
    "files",
    "errors hub_card",
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}


def modules() -> dict[str, Path]:
    """Every file of ours by its dotted name; the package's own __init__ only hands names on."""
    files = [*ROOT.glob("*.py"), *ROOT.glob("hub_card/*.py"), *ROOT.glob("dslr_gan/**/*.py")]
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}
    del names["dslr_gan.__init__"]
    return {name.removesuffix(".__init__"): file for name, file in names.items()}


def room(module: str) -> str:
    """The room of a module: a folder or a file at the top of the package."""
    return module.removeprefix("dslr_gan.").split(".")[0]


def imported(source: str, known: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that a source imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import, in line {node.lineno}"
            # "from dslr_gan import metrics" may name a module or something inside one.
            names = {f"{node.module}.{alias.name}" for alias in node.names} & known.keys()
            yield from names or {node.module} & known.keys()


def arrows() -> dict[str, set[str]]:
    """Which modules each module imports."""
    known = modules()
    return {
        name: set(imported(file.read_text(encoding="utf-8"), known)) for name, file in known.items()
    }


def upward(source: str, target: str) -> bool:
    """Whether an import is against the order of the rooms."""
    above, below = room(source), room(target)
    return above != below and FLOOR_OF[above] >= FLOOR_OF[below]


def test_every_room_has_a_floor():
    assert {room(name) for name in modules()} == FLOOR_OF.keys()


def test_imports_point_down():
    found = [
        f"{source} imports {target}"
        for source, targets in arrows().items()
        for target in targets
        if upward(source, target)
    ]
    assert found == []


def test_no_circle_of_files():
    TopologicalSorter(arrows()).prepare()  # raises CycleError, which names the circle


def test_no_folder_no_file_and_no_class_outgrows_the_house():
    """The limits that CONTRIBUTING.md names."""
    files = list(ROOT.glob("dslr_gan/**/*.py"))
    folders = Counter(file.parent for file in files)
    assert [folder for folder, modules in folders.items() if modules > 12] == []
    sources = {file: file.read_text(encoding="utf-8") for file in files}
    assert [file for file, text in sources.items() if len(text.splitlines()) > 400] == []
    classes = [
        (file, node.name, node.end_lineno - node.lineno + 1)
        for file, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and node.end_lineno is not None
    ]
    assert [one for one in classes if one[2] > 250] == []


def test_the_check_sees_what_it_looks_for():
    known = modules()
    late = "def late():\n    from dslr_gan.enhance import enhancer\n"
    assert list(imported(late, known)) == ["dslr_gan.enhance.enhancer"]
    assert upward("dslr_gan.models.generator", "dslr_gan.enhance.enhancer")
    assert upward("dslr_gan.cli.enhance", "dslr_gan.training.losses")
    assert not upward("dslr_gan.enhance.enhancer", "dslr_gan.models.generator")


def test_the_app_leaves_torch_to_the_package():
    assert "torch" not in (ROOT / "app.py").read_text(encoding="utf-8")

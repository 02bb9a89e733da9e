"""Imports only point down: the floors of the house, read from the source files."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent

FLOORS = [
    ["dslr_gan.errors", "dslr_gan.files", "hub_card"],
    [f"dslr_gan.image.{name}" for name in ("formats", "notes", "depth", "colour")],
    [f"dslr_gan.image.{name}" for name in ("metadata", "deep_files")],
    ["dslr_gan.image.in_file"],
    ["dslr_gan.image.modes"],
    ["dslr_gan.image.canvas", "dslr_gan.image.reading"],
    ["dslr_gan.image.writing"],
    ["dslr_gan.image", "dslr_gan.origin"],
    [
        "dslr_gan.alignment",
        "dslr_gan.context",
        "dslr_gan.tiling",
        "dslr_gan.metrics",
        "dslr_gan.flaws",
        "dslr_gan.perceptual",
        "dslr_gan.scores",
        "dslr_gan.figures",
        "dslr_gan.vgg",
        "dslr_gan.catalogue",
        "dslr_gan.pretrained",
    ],
    [
        "dslr_gan.generator",
        "dslr_gan.discriminator",
        "dslr_gan.baselines",
        "dslr_gan.losses",
        "dslr_gan.decoding",
        "dslr_gan.table",
        "dslr_gan.patches",
        "dslr_gan.photo_pairs",
        "dslr_gan.folders",
        "dslr_gan.record",
        "dslr_gan.share",
    ],
    ["dslr_gan.networks", "dslr_gan.running", "dslr_gan.export"],
    ["dslr_gan.enhancer", "dslr_gan.data", "dslr_gan.pieces"],
    ["dslr_gan.sources", "dslr_gan.streams", "dslr_gan.batch"],
    [
        "dslr_gan.division",
        "dslr_gan.evaluation",
        "dslr_gan.preparation",
        "dslr_gan.patch_dataset",
        "dslr_gan.preparation_report",
    ],
    ["dslr_gan.pairing"],
    ["dslr_gan.training"],
    ["dslr_gan.training.optimizers"],
    ["dslr_gan.training.flags", "dslr_gan.training.records", "dslr_gan.training.stopping"],
    [f"dslr_gan.training.{name}" for name in ("card", "checkpoints", "feed", "guard")],
    ["app", "train_accelerate", "dslr_gan.commands"],
    ["dslr_gan.commands.enhance_stream"],
    [
        f"dslr_gan.commands.{name}"
        for name in ("enhance", "evaluate", "prepare", "export", "models")
    ],
    ["dslr_gan.__main__"],
]
FLOOR_OF = {room: height for height, floor in enumerate(FLOORS) for room in floor}

OUTSIDE = {"dslr_gan"}  # the package's __init__ only hands names on


def rooms() -> dict[str, list[Path]]:
    """Every module of ours, by the name of its room; hub_card is one room of several files."""
    found = {"hub_card": sorted((ROOT / "hub_card").glob("*.py"))}
    for file in [*ROOT.glob("*.py"), *(ROOT / "dslr_gan").glob("**/*.py")]:
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.setdefault(name, []).append(file)
    return found


def imports(file: Path) -> set[str]:
    """The names of modules that a file imports anywhere, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            # "from dslr_gan import metrics" may name a module or something inside one.
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def ours(name: str) -> str | None:
    """The room that an imported name belongs to, if it is one of ours."""
    if name.split(".")[0] == "hub_card":
        return "hub_card"
    known = [room for room in FLOOR_OF if name == room or name.startswith(f"{room}.")]
    return max(known, key=len, default=None)


def test_every_module_has_a_floor():
    assert rooms().keys() - OUTSIDE == FLOOR_OF.keys()


def test_imports_point_down():
    upward = [
        f"{room} imports {target}"
        for room, files in rooms().items()
        if room not in OUTSIDE
        for file in files
        for target in {ours(name) for name in imports(file)} - {None, room}
        if FLOOR_OF[target] >= FLOOR_OF[room]
    ]
    assert upward == []


def test_the_reader_of_imports_sees_an_arrow_that_points_up(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("def late():\n    from dslr_gan import enhancer\n")
    targets = {ours(name) for name in imports(file)} - {None}
    assert targets == {"dslr_gan.enhancer"}
    assert FLOOR_OF["dslr_gan.enhancer"] > FLOOR_OF["dslr_gan.generator"]


def test_package_init_only_hands_names_on():
    tree = ast.parse((ROOT / "dslr_gan" / "__init__.py").read_text(encoding="utf-8"))
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert defined == ["__getattr__"]


def test_the_app_leaves_torch_to_the_package():
    assert not any(name.split(".")[0] == "torch" for name in imports(ROOT / "app.py"))

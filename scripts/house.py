"""Count how the code is laid out: rooms, files, imports between rooms, and the longest pieces.

    python scripts/house.py [FOLDER]

A room is a folder directly in the package or beside it, or a single file there. Tests are not
counted, nor what ``dslr_gan/__init__.py`` imports. An arrow is a room that imports another one. A
circle is a group of files that import one another in a ring, also by imports inside functions.
"""

import argparse
import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "dslr_gan"
FOLDERS = (PACKAGE, "hub_card", "benchmarks", "scripts")
"""What is counted, with the Python files beside these folders."""


def modules(root: Path) -> dict[str, Path]:
    """Every Python file of the project by its dotted name, without tests."""
    files = [
        *root.glob("*.py"),
        *(file for name in FOLDERS for file in root.glob(f"{name}/**/*.py")),
    ]
    names = {".".join(file.relative_to(root).with_suffix("").parts): file for file in files}
    names.pop(f"{PACKAGE}.__init__", None)
    return {name.removesuffix(".__init__"): file for name, file in sorted(names.items())}


def room(module: str) -> str:
    """The room of a module: the folder, or the file, at the top of the package or beside it."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == PACKAGE else parts[0]


def imports(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the project that a file imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names} & known.keys()
            yield from names or {node.module} & known.keys()


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of files that reach one another: Tarjan's strongly connected components."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for target in sorted(arrows[module]):
            if target not in order:
                visit(target)
            if target in stack:
                lowest[module] = min(lowest[module], lowest[target])
        if lowest[module] == order[module]:
            group = [stack.pop()]
            while group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for module in arrows:
        if module not in order:
            visit(module)
    return found


def longest(files: dict[str, Path], kinds: tuple[type[ast.AST], ...]) -> tuple[int, str]:
    """Lines and name of the longest class or function, decorators not counted."""
    return max(
        (node.end_lineno - node.lineno + 1, f"{module}: {node.name}")  # type: ignore[attr-defined]
        for module, file in files.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, kinds)
    )


def count(root: Path) -> list[tuple[str, str]]:
    """Count everything; what was counted and its figure, line by line."""
    known = modules(root)
    arrows = {name: set(imports(file, known)) - {name} for name, file in known.items()}
    rooms = {name: room(name) for name in known}
    between = {
        (rooms[source], rooms[target])
        for source, targets in arrows.items()
        for target in targets
        if rooms[source] != rooms[target]
    }
    rings = circles(arrows)
    entries = [
        entry.name
        for entry in sorted((root / PACKAGE).iterdir())
        if entry.name != "__pycache__" and not entry.name.startswith(".")
    ]
    folders = Counter(
        file.parent.relative_to(root).as_posix()
        for folder in {file.parent for file in known.values()}
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith(".")
    )
    fullest, files = folders.most_common(1)[0]
    lines = {
        name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in known.items()
    }
    file = max(lines, key=lambda name: lines[name])
    long_class = longest(known, (ast.ClassDef,))
    long_function = longest(known, (ast.FunctionDef, ast.AsyncFunctionDef))
    return [
        ("Python files", str(len(known) + 1)),
        ("rooms", str(len(set(rooms.values())))),
        ("arrows between rooms", str(len(between))),
        ("circles of files", "; ".join(" and ".join(ring) for ring in rings) or "none"),
        (f"entries at the top of {PACKAGE}/", f"{len(entries)}: {', '.join(entries)}"),
        ("most files in a folder", f"{files}, {fullest}/"),
        ("longest file", f"{lines[file]} lines, {file}"),
        ("longest class", "{} lines, {}".format(*long_class)),
        ("longest function", "{} lines, {}".format(*long_function)),
        *((f"files in {folder}/", str(number)) for folder, number in sorted(folders.items())),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(__file__).parents[1]
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="default: this one")
    print("| counted | figure |\n|---|---|")
    for name, figure in count(parser.parse_args().folder):
        print(f"| {name} | {figure} |")


if __name__ == "__main__":
    main()

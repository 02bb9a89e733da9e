"""The count of rooms: what it finds in a small tree that has everything it looks for."""

from scripts.house import count


def test_a_small_tree_is_counted(tmp_path):
    files = {
        "app.py": "from dslr_gan import top\n",
        "dslr_gan/__init__.py": "from dslr_gan.room.first import one\n",
        "dslr_gan/top.py": "import dslr_gan.room.first\nfrom dslr_gan.room import second\n",
        "dslr_gan/room/__init__.py": "",
        "dslr_gan/room/first.py": "def one():\n    from dslr_gan.room import second\n\n",
        "dslr_gan/room/second.py": "from dslr_gan.room.first import one\n\nclass Two:\n    pass\n",
        "dslr_gan/.hidden": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = dict(count(tmp_path))
    assert found["Python files"] == "6" and found["rooms"] == "3"
    assert found["arrows between rooms"] == "2"
    assert found["circles of files"] == "dslr_gan.room.first and dslr_gan.room.second"
    assert found["entries at the top of dslr_gan/"] == "3: __init__.py, room, top.py"
    assert found["most files in a folder"] == "3, dslr_gan/room/"
    assert found["longest file"] == "4 lines, dslr_gan.room.second"
    assert found["longest class"] == "2 lines, dslr_gan.room.second: Two"
    assert found["longest function"] == "2 lines, dslr_gan.room.first: one"

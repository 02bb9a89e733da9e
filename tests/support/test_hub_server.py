import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.support.hub_server import HubServer, hub_environment

CLIENT = """
import json, sys
from pathlib import Path
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

api, folder, heard = HfApi(), Path(sys.argv[1]), {}

def failure(action):
    try:
        action()
    except Exception as error:
        return type(error).__name__
    return "no error"

def read(path, **which):
    return Path(hf_hub_download("me/model", path, **which)).read_bytes()

api.create_repo("me/model")
heard["again"] = failure(lambda: api.create_repo("me/model"))
api.create_repo("me/model", exist_ok=True)

first = api.upload_folder(repo_id="me/model", folder_path=folder).oid
heard["unchanged"] = api.upload_folder(repo_id="me/model", folder_path=folder).oid == first
api.create_tag("me/model", tag="v1.0")
api.create_branch("me/model", branch="try/out", exist_ok=True)
api.create_branch("me/model", branch="try/out", exist_ok=True)
(folder / "part" / "config.json").write_text("second")
(folder / "old.txt").unlink()
second = api.upload_folder(repo_id="me/model", folder_path=folder, delete_patterns="old.txt").oid
api.upload_file(
    repo_id="me/model", revision="try/out", path_in_repo="new.txt", path_or_fileobj=b"new"
)

heard["large"] = len(read("model.safetensors"))
heard["now"] = read("part/config.json").decode()
heard["tag"] = read("part/config.json", revision="v1.0").decode()
heard["commit"] = read("part/config.json", revision=first).decode()
heard["branch"] = read("new.txt", revision="try/out").decode()
heard["snapshot"] = sorted(path.name for path in Path(snapshot_download("me/model")).iterdir())
heard["files at the tag"] = api.list_repo_files("me/model", revision="v1.0")
refs = api.list_repo_refs("me/model")
heard["refs"] = {ref.name: ref.target_commit == second for ref in [*refs.branches, *refs.tags]}
heard["sha"] = api.model_info("me/model").sha == second

heard["no repository"] = failure(lambda: hf_hub_download("me/nothing", "config.json"))
heard["no file"] = failure(lambda: read("nothing.json"))
heard["no revision"] = failure(lambda: read("README.md", revision="v2.0"))
heard["stale"] = failure(lambda: api.upload_file(
    repo_id="me/model", path_in_repo="x", path_or_fileobj=b"x", parent_commit=first
))
heard["no token"] = failure(lambda: HfApi(token=False).create_repo("me/other"))
heard["wrong token"] = failure(lambda: HfApi(token="hf_x").create_tag("me/model", tag="v3"))
print(json.dumps(heard))
"""


@pytest.fixture
def hub():
    with HubServer() as server:
        yield server


@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_the_real_client_pushes_and_pulls(tmp_path, xet):
    with HubServer(xet) as hub:
        push_and_pull(hub, tmp_path)
    sent = [request for request in hub.requests if "xet-write-token" in request.path]
    assert bool(sent) == xet


def push_and_pull(hub, tmp_path):
    folder = tmp_path / "folder"
    (folder / "part").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "old.txt").write_text("old")
    (folder / "part" / "config.json").write_text("first")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 100)

    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(folder)],
        env=hub_environment(hub, tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    first_files = [
        ".gitattributes",
        "README.md",
        "model.safetensors",
        "old.txt",
        "part/config.json",
    ]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "again": "HfHubHTTPError",
        "unchanged": True,
        "large": 25_600,
        "now": "second",
        "tag": "first",
        "commit": "first",
        "branch": "new",
        "snapshot": [".gitattributes", "README.md", "model.safetensors", "part"],
        "files at the tag": first_files,
        "refs": {"main": True, "try/out": False, "v1.0": False},
        "sha": True,
        "no repository": "RepositoryNotFoundError",
        "no file": "RemoteEntryNotFoundError",
        "no revision": "RevisionNotFoundError",
        "stale": "HfHubHTTPError",
        "no token": "HfHubHTTPError",
        "wrong token": "HfHubHTTPError",
    }
    stored = hub.repositories["me/model"].files("main")
    assert stored["model.safetensors"].large
    assert not stored["README.md"].large
    assert list(hub.repositories) == ["me/model"]


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of one request, redirects followed, errors not raised."""
    request = urllib.request.Request(url, method=method, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


@pytest.mark.parametrize("name", ["small.txt", "large.safetensors"])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-3", b"0123"),
        ("bytes=4-4", b"4"),
        ("bytes=8-", b"89"),
        ("bytes=-2", b"89"),
        ("bytes=7-99", b"789"),
    ],
)
def test_ranges(hub, name, wanted, expected):
    hub.add_file("me/model", name, b"0123456789")
    status, body, headers = fetch(f"{hub.url}/me/model/resolve/main/{name}", Range=wanted)

    assert (status, body) == (206, expected)
    assert headers["Content-Range"].endswith("/10")
    assert hub.requests[-1].range == wanted
    assert hub.requests[-1].sent == len(expected)


def test_a_range_beyond_the_end_and_no_range(hub):
    hub.add_file("me/model", "small.txt", b"0123456789")
    url = f"{hub.url}/me/model/resolve/main/small.txt"

    assert fetch(url, Range="bytes=10-12")[0] == 416
    assert fetch(url)[:2] == (200, b"0123456789")
    status, body, headers = fetch(url, method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "10")


def test_the_storage_host_refuses_the_token(hub):
    hub.add_file("me/model", "large.safetensors", b"weights")
    oid = hub.repositories["me/model"].files("main")["large.safetensors"].sha256

    assert fetch(f"{hub.storage_url}/{oid}")[:2] == (200, b"weights")
    assert fetch(f"{hub.storage_url}/{oid}", Authorization="Bearer hf_test")[0] == 400


def test_an_outage_comes_and_goes(hub):
    hub.add_file("me/model", "small.txt", b"text")
    url = f"{hub.url}/me/model/resolve/main/small.txt"

    hub.fail_with(503)
    assert fetch(url)[0] == 503
    hub.fail_with(None)
    assert fetch(url)[0] == 200
    assert [request.status for request in hub.requests] == [503, 200]


def test_after_the_end_nobody_answers(hub):
    url = f"{hub.url}/api/agent-harnesses"
    assert fetch(url)[0] == 200
    hub.stop()
    with pytest.raises(urllib.error.URLError):
        fetch(url)

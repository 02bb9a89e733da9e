"""A Hugging Face Hub in memory, over HTTP: what pushing and pulling a repository asks of it.

    with HubServer() as hub:
        hub.add_file("me/model", "config.json", b"{}")
        subprocess.run([...], env=hub_environment(hub, home))

Like the real one it has two origins: the Hub itself, and a storage host for large files, to which
downloads are redirected and which refuses a request that carries the Hub's token. With ``xet=True``
large files are in Xet storage besides, as on the real one: a client that has hf_xet reads and
writes them there. Byte ranges go by way of the storage host in both modes.
"""

import base64
import contextlib
import functools
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

import huggingface_hub

from dslr_gan.hub import asking
from tests.support.hub_faults import Faults
from tests.support.xet_storage import EXPIRY_S, XetStorage, xet_hash

# A dataset is kept under the name that its pages have: "datasets/owner/name".
# So is a Space.
REPOSITORY = r"(?P<repository>(?:(?:datasets|spaces)/)?[^/]+/[^/]+?)"
API = r"/api/(?:models/(?P<repository>[^/]+/[^/]+)|(?P<dataset>(?:datasets|spaces)/[^/]+/[^/]+))"


class Logged(NamedTuple):
    """One request that was answered."""

    method: str
    path: str
    range: str | None
    status: int
    sent: int  # bytes in the body of the answer


class Refusal(Exception):
    """An answer that is an error; ``code`` is the Hub's own word for it (X-Error-Code)."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class Answer(NamedTuple):
    content: Any = b""  # bytes, or what to send as JSON
    headers: dict[str, str] = {}
    status: int = 200


class Request(NamedTuple):
    method: str
    path: str  # still quoted: the name of a branch may hold a slash
    headers: Any
    body: bytes
    query: dict[str, list[str]] = {}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class StoredFile:
    content: bytes
    large: bool
    sent: bytes | None = None
    """What is sent instead of the content of a small file, to play a damaged transfer; that of a
    large one is in ``HubServer.blobs``."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def oid(self) -> str:
        """What a client compares to find out whether a file has changed."""
        return self.sha256 if self.large else self.git_oid


@dataclass
class Repository:
    """Commits by sha, each a whole folder; branches and tags name them."""

    commits: dict[str, dict[str, StoredFile]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    variables: dict[str, str] = field(default_factory=dict)  # of a Space
    messages: dict[str, str] = field(default_factory=dict)  # by commit

    def find(self, revision: str) -> str:
        """The sha that a branch, a tag or a sha names."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        if sha not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha

    def files(self, revision: str) -> dict[str, StoredFile]:
        return self.commits[self.find(revision)]

    def commit(self, branch: str, files: dict[str, StoredFile]) -> str:
        """Put a new commit of exactly these files on a branch."""
        content = [len(self.commits), branch, [(path, files[path].oid) for path in sorted(files)]]
        sha = hashlib.sha1(json.dumps(content).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha


@dataclass
class Fault:
    """What some requests are answered instead."""

    pattern: str
    answer: Answer
    times: int | None


class HubServer:
    """The Hub; a context manager that serves while it is open.

    Attributes:
        url: Its endpoint.
        token: The only token that it knows; any other is refused, whatever is asked.
        role: What the token may do: ``"write"`` or ``"read"``.
        gated: Repositories whose files are not given out.
        faults: What goes wrong with single requests.
        read_only: Repositories that the token may not write to, or not make.
        requests: What was answered so far, by both origins.
        repositories: By id.
        xet: The storage of large files; None for a Hub without.
    """

    def __init__(self, xet: bool = False) -> None:
        self.xet = XetStorage() if xet else None
        self.token = "hf_test"
        self.requests: list[Logged] = []
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}  # large files by sha256
        self.role = "write"
        self.gated: set[str] = set()
        self.read_only: set[str] = set()
        self.outage: Answer | None = None
        self.refusals: list[Fault] = []
        self.happenings: list[tuple[str, Callable[[], object]]] = []
        self.hanging = ""
        self.xet_elsewhere: str | None = None
        self.agents: set[str] = set()
        self.lock = threading.Lock()
        self.faults = Faults()
        self._listeners = [listener(self, HUB_ROUTES), listener(self, STORAGE_ROUTES)]
        self.url, self.storage_url = (
            f"http://127.0.0.1:{each.server_port}" for each in self._listeners
        )

    def __enter__(self) -> Self:
        for each in self._listeners:
            # Stopping waits for the next poll: the usual half second would be felt in every test.
            threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away: from now on connections are refused. Once is enough, twice does no harm."""
        self.faults.ended.set()
        while self._listeners:
            each = self._listeners.pop()
            each.shutdown()
            each.server_close()
        if self.xet is not None:
            self.xet.close()

    def fail_with(
        self, status: int | None, message: str = "The Hub is out of order", **headers: str
    ) -> None:
        """Answer everything with this status from now on; None ends the outage."""
        headers = {"X-Error-Message": message} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.outage = None if status is None else Answer({"error": message}, headers, status)

    def give_way_to_a_portal(self) -> None:
        """Answer everything like the login page of a hotel's network; fail_with(None) ends it."""
        page = b"<!DOCTYPE html><title>Welcome</title><p>Log in to use the network."
        self.outage = Answer(page, {"Content-Type": "text/html"})

    # Faults of single requests, as pushing meets them ----------------------------------------

    def fail_at(self, pattern: str, status: int, times: int | None = None, **headers: str) -> None:
        """Refuse requests such as ``POST .*/commit/.*``, so many times or always."""
        message = {"X-Error-Message": "The Hub is out of order"}
        message |= {name.replace("_", "-"): value for name, value in headers.items()}
        refusal = Answer({"error": "The Hub is out of order"}, message, status)
        self.refusals.append(Fault(pattern, refusal, times))

    def meanwhile(self, pattern: str, action: Callable[[], object]) -> None:
        """Let something happen once, just before such a request is answered."""
        self.happenings.append((pattern, action))

    def happen(self, request: "Request") -> None:
        for happening in list(self.happenings):
            pattern, action = happening
            if re.fullmatch(pattern, f"{request.method} {request.path}"):
                self.happenings.remove(happening)
                action()

    def hang_at(self, pattern: str) -> None:
        """Never answer such requests; an empty pattern ends that."""
        self.hanging = pattern

    def hangs_at(self, request: "Request") -> bool:
        """Wait until the server is gone where a request is one that hangs."""
        if not self.hanging or not re.fullmatch(self.hanging, f"{request.method} {request.path}"):
            return False
        self.requests.append(Logged(request.method, request.path, None, 0, 0))
        self.faults.ended.wait()
        return True

    def fault_of(self, request: "Request") -> "Answer | None":
        for fault in self.refusals:
            if fault.times != 0 and re.fullmatch(fault.pattern, f"{request.method} {request.path}"):
                if fault.times is not None:
                    fault.times -= 1
                return fault.answer
        return None

    def add_file(self, repository: str, path: str, content: bytes, branch: str = "main") -> str:
        """Commit a file to a repository, which is made where needed; returns the sha."""
        with self.lock:
            found = self.repositories.setdefault(repository, Repository())
            files = found.files(branch) if branch in found.branches else {}
            file = StoredFile(content, is_large(path, len(content)))
            self.blobs[file.sha256] = content
            return found.commit(branch, {**files, path: file})

    def find(self, repository: str) -> Repository:
        if repository not in self.repositories:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return self.repositories[repository]


def hub_environment(server: HubServer, home: str | Path) -> dict[str, str]:
    """This process's environment with the Hub and its caches replaced, for a subprocess."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    if server.xet is None:
        kept["HF_HUB_DISABLE_XET"] = "1"
    return kept | {
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": server.token,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "NO_PROXY": "127.0.0.1",
    }


def take_for_the_hub(patch: Any, server: HubServer, home: Path) -> None:
    """Let this process take a server for the real Hub, with empty caches; ``patch`` ends it.

    It hardly waits before it asks again.

    Only for code that reads huggingface_hub's constants when it runs, as dslr_gan.hub does.
    """
    patch.setattr(asking, "WAITS_S", (0.01, 0.01, 0.01))
    for name, value in {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(home),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_DISABLE_XET": server.xet is None,
        # Else what this Hub says about itself would be noted in the home of whoever runs this.
        "HF_HUB_DISABLE_TELEMETRY": True,
    }.items():
        patch.setattr(huggingface_hub.constants, name, value)
    assets = functools.partial(huggingface_hub.cached_assets_path, assets_dir=home / "assets")
    patch.setattr(huggingface_hub, "cached_assets_path", assets)
    patch.setenv("HF_TOKEN", server.token)


def is_large(path: str, size: int) -> bool:
    return path.endswith((".safetensors", ".bin", ".parquet")) or size > 10_000_000


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    run: Callable[..., Answer]
    writes: bool


HUB_ROUTES: list[Route] = []
STORAGE_ROUTES: list[Route] = []


def route(
    method: str, pattern: str, *, writes: bool = False, routes: list[Route] = HUB_ROUTES
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Make a function the answer to a method and a pattern of paths."""

    def register(run: Callable[..., Answer]) -> Callable[..., Answer]:
        routes.append(Route(method, pattern, run, writes))
        return run

    return register


def listener(hub: HubServer, routes: list[Route]) -> ThreadingHTTPServer:
    """One origin of the Hub, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            if not hub._listeners:  # a connection of before the Hub went away
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            address = urlsplit(self.path)
            query = parse_qs(address.query)
            request = Request(self.command, address.path, self.headers, body, query)
            if hub.hangs_at(request):
                self.close_connection = True
                return
            hub.happen(request)
            fault = hub.faults.next(address.path)
            with hub.lock:
                hub.agents.add(self.headers.get("User-Agent", ""))
                content, headers, status = answer(hub, request, routes)
                if isinstance(fault, Answer):
                    content, headers, status = fault
                if not isinstance(content, bytes):
                    content = json.dumps(content).encode()
                sent = b"" if self.command == "HEAD" else content
                wanted = self.headers.get("Range")
                hub.requests.append(Logged(self.command, request.path, wanted, status, len(sent)))
            if fault is not None and not isinstance(fault, Answer):
                fault(self, status, headers, sent)
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_HEAD = do_POST = do_PUT = respond

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a client that has given up
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub = hub
    return server


def answer(hub: HubServer, request: Request, routes: list[Route]) -> Answer:
    """Find the route of a request and run it; a refusal becomes an answer too."""
    try:
        if hub.outage is not None:
            return hub.outage
        fault = hub.fault_of(request)
        if fault is not None:
            return fault
        authorization = request.headers["Authorization"]
        known = authorization == f"Bearer {hub.token}"
        if authorization and not known and routes is HUB_ROUTES:
            raise Refusal(401, "Invalid credentials in Authorization header")
        method = "GET" if request.method == "HEAD" else request.method
        for route in routes:
            match = re.fullmatch(route.pattern, request.path)
            if match is None or route.method != method:
                continue
            if route.writes and not known:
                raise Refusal(401, "Invalid username or password.")
            names = match.groupdict(default="")
            if dataset := names.pop("dataset", ""):
                names["repository"] = dataset
            if route.writes:
                check_right_to_write(hub, names.get("repository", ""))
            return route.run(hub, request, **{key: unquote(names[key]) for key in names})
        raise Refusal(404, f"No such page: {request.method} {request.path}")
    except Refusal as refusal:
        headers = {"X-Error-Message": refusal.message}
        if refusal.code:
            headers["X-Error-Code"] = refusal.code
        return Answer({"error": refusal.message}, headers, refusal.status)


def check_right_to_write(hub: HubServer, repository: str) -> None:
    if hub.role != "write" or repository in hub.read_only:
        raise Refusal(403, f"You don't have the rights to write to {repository or 'anything'}")


def part(request: Request, content: bytes, headers: dict[str, str]) -> Answer:
    """The content of a file, or the one range of it that was asked for."""
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers["Range"] or "")
    if wanted is None or wanted.groups() == ("", ""):
        return Answer(content, headers)
    first, last = wanted.groups()
    size = len(content)
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        return Answer(b"", {**headers, "Content-Range": f"bytes */{size}"}, 416)
    headers = {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Answer(content[start:stop], headers, 206)


@route("GET", r"/(?P<oid>[0-9a-f]{64})", routes=STORAGE_ROUTES)
def download(hub: HubServer, request: Request, oid: str) -> Answer:
    if request.headers["Authorization"]:
        raise Refusal(400, "The Hub's token has no business at the storage host")
    return part(request, hub.blobs[oid], {"ETag": f'"{oid}"'})


@route("PUT", r"/(?P<oid>[0-9a-f]{64})", routes=STORAGE_ROUTES)
def upload(hub: HubServer, request: Request, oid: str) -> Answer:
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise Refusal(400, "The content is not what its name promises")
    hub.blobs[oid] = request.body
    return Answer()


@route("GET", "/api/agent-harnesses")
def agent_harnesses(hub: HubServer, request: Request) -> Answer:
    return Answer({"standardEnvVars": [], "harnesses": {}})


@route("GET", "/api/whoami-v2")
def who_am_i(hub: HubServer, request: Request) -> Answer:
    if not request.headers["Authorization"]:
        raise Refusal(401, "Invalid username or password.")
    token = {"displayName": "laptop", "role": hub.role}
    facts = {"type": "user", "name": "me", "fullname": "Me", "orgs": []}
    return Answer({**facts, "auth": {"type": "access_token", "accessToken": token}})


@route("POST", "/api/repos/create", writes=True)
def create_repository(hub: HubServer, request: Request) -> Answer:
    name = f"{request.json['organization'] or 'me'}/{request.json['name']}"
    if request.json.get("type") in ("dataset", "space"):
        name = f"{request.json['type']}s/{name}"
    check_right_to_write(hub, name)
    url = f"{hub.url}/{name}"
    if name in hub.repositories:
        return Answer({"error": "You already created this repository", "url": url}, status=409)
    hub.repositories[name] = Repository(private=request.json.get("visibility") == "private")
    attributes = StoredFile(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n", large=False)
    hub.repositories[name].commit("main", {".gitattributes": attributes})
    return Answer({"url": url})


@route("GET", API + r"(?:/revision/(?P<revision>[^/]+))?")
def information(hub: HubServer, request: Request, repository: str, revision: str) -> Answer:
    sha = hub.find(repository).find(revision or "main")
    siblings = [{"rfilename": path} for path in hub.find(repository).files(sha)]
    if "blobs" in request.query:
        siblings = [described(path, file) for path, file in hub.find(repository).files(sha).items()]
    facts = {"id": repository, "sha": sha, "tags": [], "siblings": siblings}
    facts["private"] = hub.find(repository).private
    if card := hub.find(repository).files(sha).get("README.md"):
        licence = re.search(rb"^license: (\S+)$", card.content, re.MULTILINE)
        facts["cardData"] = {"license": licence[1].decode()} if licence else {}
    return Answer(facts)


@route("GET", API + r"/refs")
def references(hub: HubServer, request: Request, repository: str) -> Answer:
    def listed(kind: str, shas: dict[str, str]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": shas[name]}
            for name in shas
        ]

    found = hub.find(repository)
    branches, tags = listed("heads", found.branches), listed("tags", found.tags)
    return Answer({"branches": branches, "tags": tags, "converts": []})


def described(path: str, file: StoredFile) -> dict[str, Any]:
    """What the Hub says of a file among the facts about its repository."""
    size = len(file.content)
    entry: dict[str, Any] = {"rfilename": path, "blobId": file.git_oid, "size": size}
    if file.large:
        entry["lfs"] = {"sha256": file.sha256, "size": size, "pointerSize": 134}
    return entry


def listed(hub: HubServer, path: str, file: StoredFile) -> dict[str, Any]:
    """What the Hub says of a file in a listing of its folder."""
    size = len(file.content)
    entry: dict[str, Any] = {"type": "file", "oid": file.git_oid, "size": size, "path": path}
    if file.large:
        entry["lfs"] = {"oid": file.sha256, "size": size, "pointerSize": 134}
        if hub.xet is not None:
            entry["xetHash"] = xet_hash(hub.blobs[file.sha256])
    return entry


def folders_of(files: dict[str, StoredFile]) -> set[str]:
    return {str(folder) for path in files for folder in PurePosixPath(path).parents} - {"."}


@route("GET", API + r"/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?")
def tree(hub: HubServer, request: Request, repository: str, revision: str, folder: str) -> Answer:
    """The files and folders of a folder, or of all folders in it too."""
    files = hub.find(repository).files(revision)
    folders = folders_of(files)
    if folder and folder not in folders:
        raise Refusal(404, f"{folder} does not exist on {revision}", "EntryNotFound")
    entries = [listed(hub, path, files[path]) for path in sorted(files)]
    entries += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": each} for each in folders]
    inside = [
        entry for entry in entries if entry["path"].startswith(f"{folder}/" if folder else "")
    ]
    # Whoever asks for everything, such as a download, has no use for the folders themselves.
    if request.query.get("recursive", ["false"])[0].lower() in ("true", "1"):
        return Answer([entry for entry in inside if entry["type"] == "file"])
    parent = folder or "."
    return Answer([each for each in inside if str(PurePosixPath(each["path"]).parent) == parent])


@route("POST", API + r"/paths-info/(?P<revision>[^/]+)")
def paths_information(hub: HubServer, request: Request, repository: str, revision: str) -> Answer:
    files = hub.find(repository).files(revision)
    asked = request.json["paths"]
    found = [listed(hub, path, files[path]) for path in asked if path in files]
    folders = folders_of(files).intersection(asked)
    found += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": each} for each in folders]
    return Answer(found)


@route("GET", "/" + REPOSITORY + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(hub: HubServer, request: Request, repository: str, revision: str, path: str) -> Answer:
    if repository in hub.gated:
        raise Refusal(403, f"Access to {repository} is restricted", "GatedRepo")
    sha = hub.find(repository).find(revision)
    file = hub.find(repository).files(sha).get(path)
    if file is None:
        raise Refusal(404, f"Entry not found: {path}", "EntryNotFound")
    headers = {"X-Repo-Commit": sha, "ETag": f'"{file.oid}"'}
    if not file.large:
        return part(request, file.content if file.sent is None else file.sent, headers)
    headers["Location"] = f"{hub.storage_url}/{file.sha256}"
    headers["X-Linked-Etag"] = f'"{file.sha256}"'
    headers["X-Linked-Size"] = str(len(file.content))
    if hub.xet is not None:
        headers["X-Xet-Hash"] = xet_hash(hub.blobs[file.sha256])
        kind = "" if repository.startswith(("datasets/", "spaces/")) else "models/"
        token = f"{hub.url}/api/{kind}{repository}/xet-read-token/{sha}"
        headers["X-Xet-Refresh-Route"] = token
    return Answer(b"", headers, 302)


@route("GET", API + r"/xet-read-token/(?P<revision>[^/]+)")
def xet_read_token(hub: HubServer, request: Request, repository: str, revision: str) -> Answer:
    files = hub.find(repository).files(revision).values()
    return lent(hub, [hub.blobs[file.sha256] for file in files if file.large])


@route("GET", API + r"/xet-write-token/(?P<revision>[^/]+)", writes=True)
def xet_write_token(hub: HubServer, request: Request, repository: str, revision: str) -> Answer:
    hub.find(repository)
    return lent(hub, [])


def lent(hub: HubServer, contents: list[bytes]) -> Answer:
    """The leave to use Xet storage for a while, with what is in it."""
    if hub.xet is None:
        raise Refusal(404, "There is no Xet storage here")
    address = hub.xet_elsewhere or f"local://{hub.xet.lend(contents)}"
    expiry = int(time.time()) + EXPIRY_S
    headers = {
        "X-Xet-Access-Token": "xet",
        "X-Xet-Token-Expiration": str(expiry),
        "X-Xet-Cas-Url": address,
    }
    return Answer({"accessToken": "xet", "exp": expiry, "casUrl": address}, headers)


@route("POST", API + r"/variables", writes=True)
def set_variable(hub: HubServer, request: Request, repository: str) -> Answer:
    variables = hub.find(repository).variables
    variables[request.json["key"]] = request.json["value"]
    return Answer({name: {"value": variables[name]} for name in variables})


@route("GET", API + r"/variables")
def variables(hub: HubServer, request: Request, repository: str) -> Answer:
    return Answer(
        {name: {"value": value} for name, value in hub.find(repository).variables.items()}
    )


@route("POST", API + r"/branch/(?P<name>[^/]+)", writes=True)
def create_branch(hub: HubServer, request: Request, repository: str, name: str) -> Answer:
    found = hub.find(repository)
    if name in found.branches:
        raise Refusal(409, f"Reference already exists: {name}")
    found.branches[name] = found.find(request.json.get("startingPoint") or "main")
    return Answer()


@route("POST", API + r"/tag/(?P<revision>[^/]+)", writes=True)
def create_tag(hub: HubServer, request: Request, repository: str, revision: str) -> Answer:
    found, name = hub.find(repository), request.json["tag"]
    if name in found.tags:
        raise Refusal(409, f"Tag already exists: {name}")
    found.tags[name] = found.find(revision)
    return Answer()


@route("POST", "/api/validate-yaml")
def validate_card(hub: HubServer, request: Request) -> Answer:
    if not request.json["content"].startswith("---\n"):
        raise Refusal(400, "The card has no metadata")
    return Answer({"errors": [], "warnings": []})


@route("POST", API + r"/preupload/(?P<revision>[^/]+)", writes=True)
def preupload(hub: HubServer, request: Request, repository: str, revision: str) -> Answer:
    """Say of each file how it is to be sent, and what is there already."""
    files, answers = hub.find(repository).files(revision), []
    for asked in request.json["files"]:
        mode = "lfs" if is_large(asked["path"], asked["size"]) else "regular"
        answers.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False})
        if asked["path"] in files:
            answers[-1]["oid"] = files[asked["path"]].oid
    return Answer({"files": answers})


@route("POST", "/" + REPOSITORY + r"\.git/info/lfs/objects/batch", writes=True)
def batch(hub: HubServer, request: Request, repository: str) -> Answer:
    """Say where to send each large file that is not there yet."""
    hub.find(repository)
    objects = request.json["objects"]
    for wanted in objects:
        if wanted["oid"] not in hub.blobs:
            verify = {"href": f"{hub.url}/{repository}.git/info/lfs/verify"}
            upload = {"href": f"{hub.storage_url}/{wanted['oid']}", "header": {}}
            wanted["actions"] = {"upload": upload, "verify": verify}
    return Answer({"transfer": "basic", "objects": objects})


@route("POST", "/" + REPOSITORY + r"\.git/info/lfs/verify", writes=True)
def verify(hub: HubServer, request: Request, repository: str) -> Answer:
    if len(hub.blobs.get(request.json["oid"], b"")) != request.json["size"]:
        raise Refusal(404, "No such object of this size")
    return Answer()


def next_proposal(found: Repository) -> str:
    """The name of the branch that the next pull request is made of."""
    return f"refs/pr/{sum('refs/pr/' in branch for branch in found.branches) + 1}"


@route("POST", API + r"/discussions", writes=True)
def create_discussion(hub: HubServer, request: Request, repository: str) -> Answer:
    """Open a pull request, which starts as main is."""
    found = hub.find(repository)
    branch = next_proposal(found)
    found.branches[branch] = found.find("main")
    return Answer({"num": int(branch.rpartition("/")[2])})


@route("GET", API + r"/discussions/(?P<number>[0-9]+)")
def discussion(hub: HubServer, request: Request, repository: str, number: str) -> Answer:
    hub.find(repository).find(f"refs/pr/{number}")
    facts = {"num": int(number), "title": "x", "createdAt": "2026-01-01T00:00:00.000Z"}
    facts |= {"status": "draft", "isPullRequest": True, "changes": {"base": "refs/heads/main"}}
    facts |= {"filesWithConflicts": [], "events": [], "diff": ""}
    return Answer({**facts, "repo": {"name": repository, "type": "model"}})


@route("POST", API + r"/commit/(?P<revision>[^/]+)", writes=True)
def commit(hub: HubServer, request: Request, repository: str, revision: str) -> Answer:
    found = hub.find(repository)
    parent = found.find(revision)
    proposal = "create_pr" in request.query
    if proposal:
        revision = next_proposal(found)
    header, *operations = (json.loads(line) for line in request.body.splitlines())
    if header["value"].get("parentCommit", parent) != parent:
        raise Refusal(412, "A commit has happened since")
    files = dict(found.files(parent))
    for operation in operations:
        if operation["key"] == "lfsFile":
            fetch_from_xet(hub, operation["value"]["oid"])
        change(files, operation["key"], operation["value"], hub.blobs)
    sha = found.commit(revision, files)
    found.messages[sha] = "\n".join(header["value"][each] for each in ("summary", "description"))
    facts = {"commitOid": sha, "commitUrl": f"{hub.url}/{repository}/commit/{sha}"}
    if proposal:
        number = revision.rpartition("/")[2]
        facts["pullRequestUrl"] = f"{hub.url}/{repository}/discussions/{number}"
    return Answer(facts)


def fetch_from_xet(hub: HubServer, oid: str) -> None:
    """Take over a large file that a client has written to Xet storage."""
    if hub.xet is not None and oid not in hub.blobs:
        content = hub.xet.find(oid)
        if content is not None:
            hub.blobs[oid] = content


def change(
    files: dict[str, StoredFile], key: str, value: dict[str, Any], blobs: dict[str, bytes]
) -> None:
    """Apply one operation of a commit to the files of its parent."""
    path = value["path"]
    if key == "file":
        files[path] = StoredFile(base64.b64decode(value["content"]), large=False)
    elif key == "lfsFile" and value["oid"] in blobs:
        files[path] = StoredFile(blobs[value["oid"]], large=True)
    elif key == "deletedFile" and path in files:
        del files[path]
    else:
        raise Refusal(400, f"Cannot do {key} to {path}")

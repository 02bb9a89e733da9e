"""A Python of its own that takes a HubServer for the real Hub, and does there what a test asks.

    with HubServer() as hub, HubClient(hub, home) as client:
        answer = client.ask("load", name="me/model")

huggingface_hub reads its endpoint and where its caches lie when it is imported, hence the
process; it stays, so that a file's tests import PyTorch once.
"""

import json
import logging
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.support.hub_server import HubServer, hub_environment
from tests.support.paths import ROOT

PATIENCE_S = 120


class HubClient:
    """Starts the process; a context manager that ends it."""

    def __init__(self, hub: HubServer, home: Path, **environment: str) -> None:
        quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1"}
        quiet |= {"PYTHONPATH": str(ROOT), "DSLR_GAN_IPHONE_REPO": "", "DSLR_GAN_SONY_REPO": ""}
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            env=hub_environment(hub, home) | quiet | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def ask(self, action: str, **arguments: Any) -> Any:
        """Do one of the ACTIONS there; a DslrGanError of there is raised here."""
        print(json.dumps([action, arguments]), file=self.process.stdin, flush=True)
        if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
            self.process.kill()
            raise TimeoutError(f"no answer to {action} {arguments}")
        kind, answer = json.loads(self.process.stdout.readline())
        if kind == "sentence":
            from dslr_gan.errors import DslrGanError

            raise DslrGanError(answer)
        if kind == "crash":
            raise RuntimeError(answer)
        return answer


def push(folder: str, repository: str, **options: Any) -> str:
    """Push the network of a folder; gives the commit's address."""
    from dslr_gan.hub import sending
    from dslr_gan.models.registry import load_network

    sending.WAITS_S = (0.01, 0.01)
    return load_network(folder).push_to_hub(repository, **options)


def load(name: str, revision: str | None = None, **options: Any) -> dict[str, Any]:
    """Load a generator and say what was loaded."""
    from dslr_gan.models.generator import Generator

    generator = Generator.from_pretrained(name, revision=revision, **options)
    origin, facts = generator.origin, generator.facts
    return {
        "folder": str(origin.folder),
        "commit": origin.commit,
        "answered": origin.answered,
        "bias": generator.tail.bias[0].item(),
        "title": facts and facts.title,
    }


def enhancer(
    name: str,
    bundled: str,
    revision: str | None = None,
    repository: str = "",
    strict: bool = False,
) -> dict[str, Any]:
    """Load an enhancer by name, the iPhone's repository and bundled folder being those given."""
    from dslr_gan.enhance.enhancer import PhotoEnhancer
    from dslr_gan.models.phones import Phone

    Phone.folder = Path(bundled)
    os.environ["DSLR_GAN_IPHONE_REPO"] = repository
    heard = _Heard()
    logging.getLogger("dslr_gan").addHandler(heard)
    try:
        loaded = PhotoEnhancer.from_pretrained(name, revision=revision, strict_source=strict)
    finally:
        logging.getLogger("dslr_gan").removeHandler(heard)
    bias = loaded.generator.tail.bias[0].item()
    return {"source": loaded.source, "bias": bias, "log": heard.lines}


def pairs(name: str, streaming: bool = False, revision: str | None = None) -> dict[str, Any]:
    """Open pairs and say what was opened: the red of each phone picture, and the facts."""
    from dslr_gan.data.pairs import open_pairs
    from dslr_gan.data.samples import read_pair

    opened = open_pairs(name, streaming=streaming, revision=revision)
    reds = [
        [int(read_pair([row], 0)[0][0, 0, 0]) for row in rows or []]
        for rows in (opened.train, opened.test)
    ]
    data = opened.provenance.data
    facts = {"gave": data.gave, "terms": data.terms, "dataset_id": data.dataset_id}
    return {"train": reds[0], "test": reds[1], "fingerprint": opened.fingerprint, **facts}


ACTIONS = {
    "push": push,
    "load": load,
    "enhancer": enhancer,
    "pairs": pairs,
}


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def serve() -> None:
    """Answer each line of the standard input by one of the standard output."""
    from dslr_gan.errors import DslrGanError
    from dslr_gan.hub import asking

    asking.WAITS_S = (0.01, 0.01, 0.01)
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        action, arguments = json.loads(line)
        try:
            answer = ["done", ACTIONS[action](**arguments)]
        except DslrGanError as error:
            answer = ["sentence", str(error)]
        except Exception as error:
            answer = ["crash", f"{type(error).__name__}: {error}"]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()

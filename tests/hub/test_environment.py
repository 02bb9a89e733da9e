"""Variables of the environment that keep the Hub away: each is named, and no secret is told.

The client reads most of them when it is imported, so each needs a process of its own.
"""

import re
import subprocess
import sys

import pytest

from tests.support.hub_server import HubServer, hub_environment
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

PROGRAM = """
from dslr_gan.errors import DslrGanError
def told(action):
    try:
        return str(action())
    except DslrGanError as error:
        return str(error)
def pull():
    from dslr_gan.hub import fetch
    return fetch("me/m", timeout=3.0).answered
def push():
    from dslr_gan.hub import Target, push
    return push({"a.txt": b"a"}, Target(repo_id="me/x", timeout_s=3.0), message="x").repository
print(told(pull), told(push), sep=chr(10))
"""


@pytest.fixture(scope="module")
def hub():
    with HubServer() as server:
        server.add_file("me/m", "config.json", b"{}")
        server.add_file("me/m", "model.safetensors", b"weights")
        yield server


def told(hub, home, environment):
    """What is told to one who pulls, and to one who pushes."""
    at = {"hub": hub.url, "host": hub.url.partition("//")[2], "home": str(home)}
    environment = {name: value.format(**at) for name, value in environment.items()}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=hub_environment(hub, home / "cache") | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Traceback" not in ended.stderr and "5ecret" not in ended.stdout + ended.stderr
    pulled, pushed = ended.stdout.splitlines()
    return pulled, pushed


PROXIES = {"NO_PROXY": "", "no_proxy": ""}
NO_ADDRESS = "the variable HF_ENDPOINT holds no address"
CANNOT_USE = "huggingface_hub cannot use .*check .*"
NO_PROXY_ADDRESS = "a variable for proxies holds no address.*check the variables HTTPS_PROXY"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"HF_ENDPOINT": "{host}"}, NO_ADDRESS),
        ({"HF_ENDPOINT": " {hub}"}, NO_ADDRESS),
        ({"HF_ENDPOINT": "{hub}/not-here"}, "no such page .*HF_ENDPOINT"),
        ({"HF_ENDPOINT": "http://127.0.0.1:99999"}, f"{CANNOT_USE}HF_ENDPOINT"),
        ({"HF_ENDPOINT": "http://me:5ecret@{host}"}, "the name and the password in .*HF_ENDPOINT"),
        ({"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}, f"{CANNOT_USE}HF_HUB_DOWNLOAD_TIMEOUT"),
        ({"HF_TOKEN": "hf_5ec ret"}, "the token from the variable HF_TOKEN"),
        ({"HF_HUB_OFFLINE": "1"}, "the variable HF_HUB_OFFLINE is set"),
        (
            {"ALL_PROXY": "socks5://u:5ecret@127.0.0.1:9", **PROXIES},
            r"one of SOCKS.*httpx2\[socks\]",
        ),
        ({"HTTP_PROXY": "::::", **PROXIES}, NO_PROXY_ADDRESS),
        ({"HTTP_PROXY": "ftp://u:5ecret@127.0.0.1:9", **PROXIES}, NO_PROXY_ADDRESS),
        ({"HTTP_PROXY": "http://u:5ecret@127.0.0.1:9", **PROXIES}, "the proxy did not answer"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "certificates that SSL_CERT_FILE names cannot be read"),
        ({"SSL_CERT_FILE": __file__}, "certificates that SSL_CERT_FILE names cannot be read"),
    ],
    ids=str,
)
def test_a_variable_that_keeps_the_hub_away_is_named(environment, words, hub, tmp_path):
    for sentence in told(hub, tmp_path, environment):
        assert re.search(words, sentence), sentence


@pytest.mark.parametrize(
    "environment",
    [
        {"HF_ENDPOINT": "{hub}/"},
        {"HF_TOKEN": " hf_test\n"},
        {"HF_HOME": "{home}/my caf\u00e9"},
        {"HTTP_PROXY": "", **PROXIES},
    ],
    ids=str,
)
def test_what_does_no_harm_is_taken(environment, hub, tmp_path):
    assert told(hub, tmp_path, environment) == ("True", f"{hub.url}/me/x")

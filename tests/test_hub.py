"""Names of networks; what the Hub answers, and when it does not, is in test_pretrained.py."""

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.hub import Origin, check_repo_id, fetch


def test_a_folder_is_its_own_origin(tmp_path):
    assert fetch(tmp_path) == fetch(str(tmp_path)) == Origin(tmp_path, None, True)


@pytest.mark.parametrize("name", ["no-such-folder", "a/b/c", "./model", "me/", "me/mo del"])
def test_what_is_neither_folder_nor_hub_id_is_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DslrGanError, match="there is no folder .* owner/name"):
        fetch(name)


def test_a_name_too_long_for_any_folder_is_a_sentence():
    with pytest.raises(DslrGanError, match=r"cannot be loaded \(File name too long\)"):
        fetch("x" * 300)


def test_a_folder_has_no_revisions(tmp_path):
    with pytest.raises(DslrGanError, match="is a folder and has no revision 'v1.0'"):
        fetch(tmp_path, revision="v1.0")


@pytest.mark.parametrize("name", ["pairs", "a/b/c", "me/", "me/pa irs"])
def test_what_is_no_hub_id_is_refused(name):
    with pytest.raises(DslrGanError, match="a Hub id such as me/my-pairs"):
        check_repo_id(name, "me/my-pairs")

"""The page's events."""

from dslr_gan.page import layout
from dslr_gan.page.uploads import EXAMPLES


def test_what_programs_may_call_and_what_waits_in_line():
    page = layout.build()
    calls = list(page.fns.values())
    public = [call.api_name for call in calls if call.api_visibility != "private"]
    assert sorted(map(str, public)) == ["compare", "enhance", "enhance_many"]
    model = [call for call in calls if call.concurrency_id == "model"]
    names = {call.name for call in model}
    assert {"enhance_on_page", "compare_on_page", "enhance_many_on_page"} <= names


def test_the_viewer_knows_phones_examples_and_limits():
    page = layout.build({"name": "x"})
    viewer = next(block for block in page.blocks.values() if block.elem_id == "viewer")
    settings = viewer.props["settings"]
    assert [phone["name"] for phone in settings["phones"]] == ["iphone", "sony"]
    assert [example["name"] for example in settings["examples"]] == list(EXAMPLES)
    assert all(
        example["thumbnail"].startswith("data:image/jpeg;base64,")
        for example in settings["examples"]
    )
    assert settings["first"] == {"name": "x"}
    assert settings["max_bytes"] > 1e6 and "window" in settings["definition"].lower()

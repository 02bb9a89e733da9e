"""The page's events."""

from dslr_gan.page import layout


def test_calls_of_the_model_wait_for_each_other_and_one_is_public():
    page = layout.build()
    calls = list(page.fns.values())
    assert [call.api_name for call in calls if call.api_visibility != "private"] == ["enhance"]
    model = [call for call in calls if call.concurrency_id == "model"]
    assert len(model) == 3 and all(call.concurrency_limit == 1 for call in model)

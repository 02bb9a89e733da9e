"""Whether the person for whom a call computes still waits for it."""

from gradio.context import LocalContext


def is_cancelled() -> bool:
    """Whether the page's call that this thread works for was cancelled, or its page was left.

    Gradio then forgets the call, but cannot end the thread, which has to ask. Outside of a call
    nothing is ever cancelled.
    """
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return False
    # What gradio.Progress does to find out for whom a bar moves.
    events = [event for job in blocks._queue.active_jobs if job is not None for event in job]
    return not any(event.alive for event in events if event._id == event_id)

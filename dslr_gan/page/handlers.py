"""What the page's events do: steps of the work become answers for the browser.

An answer is one JSON object that says all that is known so far, because a browser may see only the
latest of several. Errors are answers, too: the viewer shows them in the place of its caption.
"""

import copy
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import PHONES
from dslr_gan.page.developing import Developing
from dslr_gan.page.uploads import EXAMPLE_FOLDER, EXAMPLES, message_of, uploaded
from dslr_gan.page.work import downloads, reference, scores
from dslr_gan.page.work.admission import queue_state
from dslr_gan.page.work.kept import forget_session
from dslr_gan.page.work.look import look
from dslr_gan.page.work.many import enhance_many
from dslr_gan.page.work.photo_run import enhance_photo, stop

logger = logging.getLogger(__name__)

SERVER_FAILED = "The server failed at this; try again, or try another photo."

Answer = dict[str, Any]


def enhance_on_page(event: gr.EventData, request: gr.Request) -> Iterator[Answer]:
    """Enhance the photo that the viewer asks for, with one phone after the other."""
    wanted, session = _asked(event), str(request.session_hash)
    answer: Answer = {
        "kind": "enhance",
        "job": wanted.get("job"),
        "session": session,
        "state": "waiting",
        "says": "Looking at the photo …",
        "share": None,
        "phones": {},
        "before": None,
        "size": None,
    }

    def work() -> Iterator[Answer]:
        photo = _photo(wanted)
        phones = _phones(wanted.get("phones"))
        seen = look(photo)
        if wanted.get("by_exif") and seen["phone"]:
            phones = [seen["phone"]]
            answer.update(phone=seen["phone"], says_phone=seen["says"])
        answer.update(size={"width": seen["width"], "height": seen["height"]})
        yield answer
        developing = Developing()
        for step in enhance_photo(photo, phones, session):
            _take(answer, step, phones)
            if picture := developing.picture(step):
                answer["phones"] |= {step["phone"]: {"after": picture}}
            yield answer
        answer.update(state="done", share=None, says=_finished(answer))
        yield answer

    yield from _answers(answer, work(), advice="open")


def compare_on_page(event: gr.EventData, request: gr.Request) -> Iterator[Answer]:
    """Align a DSLR photo with each result, and measure both against it."""
    wanted, session = _asked(event), str(request.session_hash)
    answer: Answer = {"kind": "compare", "job": wanted.get("job"), "share": None}

    def work() -> Iterator[Answer]:
        dslr = uploaded(wanted.get("reference"), "DSLR photo")
        found: Answer = {}
        tokens = wanted.get("tokens")
        for phone, token in (tokens if isinstance(tokens, dict) else {}).items():
            for step in reference.compare(str(token), session, dslr):
                if step["state"] == "waiting":
                    answer.update(state="waiting", says=_waiting(step))
                elif step["state"] == "done":
                    enhanced = {**found.get("enhanced", {}), phone: step["enhanced"]}
                    found = {**step, "enhanced": enhanced}
                    continue
                else:
                    share = step["done"] / step["steps"] if step.get("steps") else None
                    answer.update(state="aligning", says=step["says"] + " …", share=share)
                yield answer
        if not found:
            raise DslrGanError("There is nothing to compare yet; enhance a photo first.")
        answer.update(state="done", found=found)
        yield answer

    yield from _answers(answer, work(), advice="reference")


def enhance_many_on_page(event: gr.EventData, request: gr.Request) -> Iterator[Answer]:
    """Enhance photos and zips; the gallery shows what is done, what failed and why."""
    wanted, session = _asked(event), str(request.session_hash)
    answer: Answer = {
        "job": wanted.get("job"),
        "state": "waiting",
        "says": "Looking …",
        "share": None,
        "items": [],
        "zip": None,
    }

    def work() -> Iterator[Answer]:
        files = wanted.get("files")
        given = [uploaded(file, "photo") for file in (files if isinstance(files, list) else [])]
        if not given:
            raise DslrGanError("There are no photos yet; choose some, or a zip of them.")
        phone, share = str(wanted.get("phone")), _share(wanted, "strength")
        for step in enhance_many(given, phone, session, share):
            _take_many(answer, step)
            yield answer

    yield from _answers(answer, work(), advice="open")


def _take_many(answer: Answer, step: Answer) -> None:
    """Bring the answer about many photos up to date with one step of the work."""
    state = step["state"]
    answer["state"] = state
    if state == "waiting":
        answer.update(says=_waiting(step), share=None)
    elif state == "unpacking":
        answer.update(says="Unpacking …", share=None)
    elif state == "item":
        answer["items"] = [*answer["items"], step["item"]]
    elif state == "listed":
        answer["items"] = step["items"]
    elif state == "working":
        left = step["seconds_left"]
        rest = f", about {_duration(left)} left" if left else ""
        failed = f", {step['failed']} failed" if step["failed"] else ""
        answer.update(
            says=f"{step['done']} of {step['total']} done{failed}{rest}: {step['photo']}",
            share=step["share"],
        )
    elif state == "done":
        ending = "Stopped: " if step["stopped"] else ""
        failed = f", {step['failed']} could not be" if step["failed"] else ""
        answer.update(says=f"{ending}{step['enhanced']} enhanced{failed}.", zip=step["zip"])
        answer.update(items=step["items"], bytes=step["bytes"])


def _duration(seconds: float) -> str:
    return f"{math.ceil(seconds / 60)} min" if seconds > 90 else f"{math.ceil(seconds)} s"


def leave(request: gr.Request) -> None:
    """Remove what a person leaves behind."""
    forget_session(str(request.session_hash))


def stop_on_page(request: gr.Request) -> None:
    """End what runs for this person within a tile."""
    stop(str(request.session_hash))


def download(wanted: Any) -> Answer:
    """Give the result as a file with exactly the amounts that the page shows."""
    return _file(lambda: downloads.download(*_result(wanted), *_amounts(wanted)))


def share_picture(wanted: Any) -> Answer:
    """Give one JPEG with the photo before and after."""
    return _file(lambda: downloads.share_picture(*_result(wanted), *_amounts(wanted)))


def layers(wanted: Any) -> Answer:
    """Give the two pictures with which colour and detail follow their sliders in the browser."""
    return _said(lambda: downloads.layers(*_result(wanted)))


def exact(wanted: Any) -> Answer:
    """Give the very pixels of the result, for who looks at them one by one."""
    return _said(lambda: downloads.exact(*_result(wanted), wanted.get("photo_too") is True))


def similarity_map(wanted: Any) -> Answer:
    """Give the local SSIM as a picture to lay over the photo."""
    return _said(
        lambda: {
            "file": str(
                scores.similarity_map(
                    *_result(wanted),
                    _share(wanted, "strength"),
                    "reference" if wanted.get("against") == "reference" else "input",
                )
            )
        }
    )


def change_scores(wanted: Any) -> Answer:
    """Give the scores over the strength for other amounts of colour and detail."""
    return _said(
        lambda: scores.change_scores(
            *_result(wanted), _share(wanted, "colour"), _share(wanted, "detail")
        )
    )


def line(_wanted: Any) -> Answer:
    """Give how many people wait, and for about how long somebody new would."""
    return _said(lambda: dict(queue_state()))


RPC: list[Callable[[Any], Answer]] = [
    download,
    share_picture,
    layers,
    exact,
    similarity_map,
    change_scores,
    line,
]
"""What the viewer calls by name outside of the queue."""


def _take(answer: Answer, step: Answer, phones: list[str]) -> None:
    """Bring an answer up to date with one step of the work."""
    state, phone = step["state"], step.get("phone")
    which = f" ({PHONES[phone].title})" if phone and len(phones) > 1 else ""
    if state == "waiting":
        answer.update(says=_waiting(step), share=None)
    elif state == "original":
        answer.update(
            before=step["before"], size={"width": step["width"], "height": step["height"]}
        )
    elif state == "preview":
        answer["phones"] |= {phone: {"after": step["after"]}}
        answer.update(says=f"A quick picture{which}; every pixel follows …")
    elif state == "enhancing":
        share = step["done"] / step["tiles"] if step["tiles"] else 0
        left = step.get("seconds_left")
        rest = f", about {math.ceil(left)} s left" if left and left > 2 else ""
        answer.update(
            says=f"Full resolution{which}: tile {step['done']} of {step['tiles']}{rest}",
            share=share,
        )
    elif state == "done":
        answer["phones"] |= {phone: {**step, "after": step["after"]}}
        answer.update(before=step["before"])
    answer["state"] = state if state != "done" else "enhancing"


def _waiting(step: Answer) -> str:
    """Say how many people are before this one."""
    place = step["position"]
    is_teen = place % 100 in (11, 12, 13)
    ending = "th" if is_teen else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"Waiting: {place}{ending} in line, about {math.ceil(step['seconds'])} s"


def _finished(answer: Answer) -> str:
    """Say in one line what was done."""
    first = next(iter(answer["phones"].values()))
    seconds = sum(found["seconds"] for found in answer["phones"].values())
    parts = [f"{first['width']}×{first['height']} pixels in {seconds:.1f} s."]
    is_scaled = first.get("shown") and list(first["shown"]) != [first["width"], first["height"]]
    parts.append(
        "Shown scaled down; the download has every pixel."
        if is_scaled
        else "At 100\N{NO-BREAK SPACE}% you see the very pixels."
    )
    return " ".join([answer.get("says_phone") or "", *parts]).strip()


def _asked(event: gr.EventData) -> Answer:
    """Give what the browser sent with an event; whatever it is, an object."""
    return event._data if isinstance(event._data, dict) else {}


def _photo(wanted: Answer) -> Path:
    """Give the file of the upload or of the example that is asked for."""
    if wanted.get("example") in EXAMPLES:
        return EXAMPLE_FOLDER / str(wanted["example"])
    return uploaded(wanted.get("photo"), "photo")


def _phones(names: Any) -> list[str]:
    phones = [name for name in PHONES if isinstance(names, list) and name in names]
    if not phones:
        raise DslrGanError(f"The phone {names!r} is not known; choose {' or '.join(PHONES)}.")
    return phones


def _result(wanted: Any) -> tuple[str, str]:
    """Give the token and the session of a request; the work refuses those it does not know."""
    if not isinstance(wanted, dict):
        raise DslrGanError("Enhance a photo first.")
    return str(wanted.get("token")), str(wanted.get("session"))


def _share(wanted: Answer, name: str, whole: float = 1) -> float:
    value = wanted.get(name, whole)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= whole:
        raise DslrGanError(f"The {name} must be a number from 0 to {whole}, got {value!r}.")
    return float(value)


def _amounts(wanted: Answer) -> tuple[float, float, float]:
    """Give strength, colour and detail."""
    return _share(wanted, "strength"), _share(wanted, "colour"), _share(wanted, "detail")


def _answers(answer: Answer, work: Iterator[Answer], advice: str) -> Iterator[Answer]:
    """Hand on the answers of some work; what goes wrong is an answer, too."""
    try:
        for step in work:
            yield copy.deepcopy(step)  # Gradio compares each answer with the one before
    except DslrGanError as error:
        logger.warning("refused: %s", message_of(error))
        yield {**answer, "state": "error", "message": message_of(error), "advice": advice}
    except Exception:
        logger.exception("A request of the page failed")
        yield {**answer, "state": "error", "message": SERVER_FAILED, "advice": "retry"}


def _said(work: Callable[[], Any]) -> Answer:
    """Give the result of some work, or its error, as an answer."""
    try:
        return dict(work())
    except DslrGanError as error:
        logger.warning("refused: %s", message_of(error))
        return {"error": message_of(error)}
    except Exception:
        logger.exception("A request of the page failed")
        return {"error": SERVER_FAILED}


def _file(work: Callable[[], Path]) -> Answer:
    def described() -> Answer:
        file = work()
        return {"file": str(file), "name": file.name, "bytes": file.stat().st_size}

    return _said(described)

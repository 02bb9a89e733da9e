"""Who may compute when."""

import threading

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.page.work import admission
from dslr_gan.page.work.admission import Line


class Person(threading.Thread):
    """Waits in a line, then computes until it is let go."""

    def __init__(self, line, session, served, megapixels=1.0):
        super().__init__(daemon=True)
        self.line, self.session, self.served, self.megapixels = line, session, served, megapixels
        self.in_line, self.may_go = threading.Event(), threading.Event()
        self.start()
        assert self.in_line.wait(5)

    def run(self):
        with self.line.place(self.session, self.megapixels) as self.ticket:
            self.in_line.set()
            assert self.ticket.ready.wait(5)
            self.served.append(self.session)
            assert self.may_go.wait(5)

    def finish(self):
        self.may_go.set()
        self.join(5)
        assert not self.is_alive()


def test_one_at_a_time_first_come_first_served():
    line, served = Line(), []
    people = [Person(line, name, served) for name in "abc"]
    for number, person in enumerate(people):
        assert person.ticket.ready.wait(5)
        assert not any(later.ticket.ready.is_set() for later in people[number + 1 :])
        person.finish()
    assert served == ["a", "b", "c"]
    assert line.state() == (0, False, 0)


def test_nobody_waits_behind_all_the_photos_of_another():
    line, served = Line(), []
    people = [Person(line, name, served) for name in ("a", "a", "a", "a", "b", "c")]
    for _ in people:
        next(person for person in people if person.is_alive() and person.ticket.ready.is_set())
        for person in people:
            if person.is_alive() and person.ticket.ready.is_set():
                person.finish()
                break
    assert served == ["a", "b", "c", "a", "a", "a"] or served == ["a", "a", "b", "c", "a", "a"]


def test_the_line_is_bounded_and_says_when_to_come_back():
    line, served = Line(limit=2), []
    people = [Person(line, name, served, megapixels=120) for name in "abc"]
    with (
        pytest.raises(DslrGanError, match=r"2 people are waiting .* in about 2 minutes\."),
        line.place("d", 1),
    ):
        pass
    with line.place("a", 1, again=True) as more:  # what was let in goes on
        assert not more.ready.is_set()
    for person in people:
        person.finish()


def test_who_leaves_the_line_holds_nobody_up():
    line, served = Line(), []
    first = Person(line, "a", served)
    with line.place("b", 1):
        third = Person(line, "c", served)
        assert line.ahead(third.ticket)[0] == 2
    assert line.ahead(third.ticket)[0] == 1
    first.finish()
    third.finish()
    assert served == ["a", "c"]


def test_waiting_is_told_by_what_photos_took(monkeypatch):
    now = 0.0
    monkeypatch.setattr(admission.time, "monotonic", lambda: now)
    line = Line()
    assert line.state() == (0, False, 0)
    for _ in range(30):
        with line.place("a", 10) as ticket:
            assert ticket.ready.is_set()
            now += 20.0
    with line.place("a", 10), line.place("b", 5), line.place("c", 1) as last:
        now += 5.0
        place, seconds = line.ahead(last)
        assert place == 2 and seconds == pytest.approx(15 + 10, abs=0.5)
        assert line.state()[2] == pytest.approx(15 + 10 + 2, abs=0.5)

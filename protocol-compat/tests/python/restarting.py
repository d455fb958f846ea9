"""What the Python programs share to write and read while the broker goes and comes back: the words with the one who
stops it, which are files, and the judgement of what was written and found."""

import os
import threading
import time

from suite import expect, expect_equal

SECONDS_AFTER_THE_END = 40


def begin(topic):
    """Says that records are being written."""
    with open(f"writing-{topic}", "w"):
        pass


def is_enough():
    """Whether the broker has been back for long enough."""
    return os.path.exists("enough")


class Written:
    """The numbers that one producer sends, 0, 1, ..., what it was told of each, and what a consumer found."""

    def __init__(self, mode, may_fail=False, is_exact=False):
        self.mode = mode
        self.may_fail = may_fail
        self.is_exact = is_exact
        self.sent = 0
        self.offsets = {}
        self.failures = {}
        self.found = []
        self.is_over = threading.Event()
        self.deadline = None

    def next_value(self):
        self.sent += 1
        return self.sent - 1

    def pause(self):
        """Between two records."""
        time.sleep(0.005)

    def acknowledged(self, value, offset):
        self.offsets[offset] = value

    def failed(self, value, error):
        self.failures[value] = error

    def expect_time(self):
        """A reader that cannot come to its end does not wait for ever."""
        if self.deadline is None and self.is_over.is_set():
            self.deadline = time.monotonic() + SECONDS_AFTER_THE_END
        expect(self.deadline is None or time.monotonic() < self.deadline, self.mode, "the reader has only", len(self.found))

    def check(self):
        """What was acknowledged is found where it was said to be, each offset once and in order, and of an exact
        producer every number once and in its order."""
        values = [value for _, value in self.found]
        expect_equal([offset for offset, _ in self.found], list(range(len(values))), f"{self.mode}: the offsets")
        expect(self.sent > 100, self.mode, "only", self.sent, "were sent")
        expect(self.may_fail or not self.failures, self.mode, len(self.failures), "failed,", list(self.failures.items())[:3])
        expect(len(self.failures) < self.sent / 2, self.mode, "most of", self.sent, "failed")
        for offset, value in self.offsets.items():
            expect(offset < len(values) and values[offset] == value, self.mode, value, "is not at offset", offset)
        lost = set(range(self.sent)) - set(values) - set(self.failures)
        expect(not lost, self.mode, "lost", sorted(lost)[:10])
        if self.is_exact:
            expect_equal(values, list(range(self.sent)), f"{self.mode}: the values")
        doubled = len(values) - len(set(values))
        print(f"{self.mode}: {self.sent} sent, {len(self.failures)} failed, {doubled} doubled")

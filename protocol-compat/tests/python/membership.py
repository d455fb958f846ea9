"""What the Python members of groups share: orders come in on standard input, events go out on standard output. The same
orders and events are those of the programs of every language.

    join GROUP MEMBER TOPIC HOW    a member begins; HOW is `default` (nothing is set but the address and where a new
                                   group begins, commits are the client's own) or an assignor, or `consumer` for the
                                   protocol of that name: then sessions are of 6 s and each commit is waited for
    leave MEMBER                   it ends in order

    read GROUP MEMBER P FROM TO    it has read the records of a partition from here to before there
    committed GROUP MEMBER P N     the broker has answered its commit
    left GROUP MEMBER              it has ended

The end of standard input is an order to all."""

import sys
import threading

SESSION_MS = 6_000
HEARTBEAT_MS = 1_000
# As Java's. A broker that goes away again and again is tried ever more rarely: librdkafka waits up to 10 s, which its
# session of 45 s bears and one of 6 s does not, and kafka-python up to 30 s.
RECONNECT_MS_MAX = 1_000
COMMIT_SECONDS = 5

_lock = threading.Lock()


def say(*words):
    with _lock:
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()


def orders():
    for line in sys.stdin:
        yield line.split()


class Events:
    """Of one member."""

    def __init__(self, group, member):
        self.who = (group, member)

    def read(self, partition, offsets):
        """Offsets in their order; a gap begins a new line."""
        begin = 0
        for i in range(1, len(offsets) + 1):
            if i == len(offsets) or offsets[i] != offsets[i - 1] + 1:
                say("read", *self.who, partition, offsets[begin], offsets[i - 1] + 1)
                begin = i

    def committed(self, partition, offset):
        say("committed", *self.who, partition, offset)

    def left(self):
        say("left", *self.who)

    def failed(self, failure):
        say("failed", *self.who, repr(failure).replace("\n", " "))


def by_threads(member_of):
    """Follows orders: each member is an object made by `member_of(group, member, topic, how)` whose `run` a thread runs
    until its `stopping` is set."""
    members, threads = {}, []
    for order in orders():
        if order[0] == "join":
            members[order[2]] = member = member_of(*order[1:])
            threads.append(threading.Thread(target=run, args=(member,)))
            threads[-1].start()
        else:
            members.pop(order[1]).stopping.set()
    for member in members.values():
        member.stopping.set()
    for thread in threads:
        thread.join()


failed = []


def run(member):
    try:
        member.run()
    except BaseException as failure:
        failed.append(failure)
        member.events.failed(failure)
        raise


def expect_no_failure():
    if failed:
        raise failed[0]

"""Watches a daemon and its chip through a loss of events, until SIGINT or SIGTERM.

    loss.py AGENT CHIP DUMP MAC...

Four connections ask the daemon at AGENT without a pause (Status, ListVmac), and the chip at CHIP is dumped every five milliseconds.
The line `watching` comes first. At the end one JSON line, times in milliseconds of the monotonic clock (that of /proc/uptime):

    answers, stale               answers, and how many of them were marked stale
    unmarked                     those that were not, though events were lost and no snapshot was taken since
    overruns, dropped            of the last status
    resyncs                      snapshots while this watched
    resynced                     when the first of them was seen
    final                        when the chip first held what it holds at the end, and held it from then on
    dumps, without               dumps, and how many of them lacked a router MAC of the command line

DUMP is where the last dump goes.
"""

import json
import select
import signal
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from agent import Agent
from chip import ROUTER, Chip
from held import everything
from query import document

EVERY = 0.005
METHODS = ("Status", "ListVmac")


def milliseconds():
    return time.clock_gettime(time.CLOCK_BOOTTIME) * 1000


class Reads:
    """What the daemon answers."""

    def __init__(self, path):
        self.agents = [Agent(path, 60) for _ in range(4)]
        self.asked = {}
        self.answers = self.stale = self.unmarked = 0
        self.status = self.agents[0].call("Status")["status"]
        self.before = self.taken(self.status)
        self.resynced = None
        for at, agent in enumerate(self.agents):
            self.ask(agent, METHODS[at % 2])

    @staticmethod
    def taken(status):
        return sum(status["resyncs"].values())

    def ask(self, agent, method):
        self.asked[agent] = method
        agent.ask(method)

    def take(self, agent):
        told = agent.answer()
        told = told.get("status", told)
        self.answers += 1
        self.stale += told["stale"]
        if self.asked[agent] == "Status":
            lost = told["netlink"]["overruns"] > self.status["netlink"]["overruns"]
            self.unmarked += lost and self.taken(told) == self.taken(self.status) and not told["stale"]
            self.status = told
            if self.resynced is None and self.taken(told) > self.before:
                self.resynced = milliseconds()
        self.ask(agent, self.asked[agent])


def final(dumps):
    """When the chip came to hold what it holds at the end."""
    wanted = everything(document(dumps[-1][1]))
    at = dumps[-1][0]
    for when, text in reversed(dumps):
        if everything(document(text)) != wanted:
            break
        at = when
    return at


def main():
    agent, chip, output, *macs = sys.argv[1:]
    reads, chip = Reads(agent), Chip(chip)
    ended = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.append(True))
    print("watching", flush=True)
    dumps, count, without, due = [], 0, 0, 0
    while not ended:
        for ready in select.select(reads.agents, [], [], EVERY)[0]:
            reads.take(ready)
        if time.monotonic() < due:
            continue
        due = time.monotonic() + EVERY
        dump = chip.request('{"request":"dump"}')
        count += 1
        present = {r.mac for r in dump.fdb if r.action == ROUTER}
        without += any(mac not in present for mac in macs)
        text = json.dumps(dump)
        if not dumps or dumps[-1][1] != text:
            dumps.append((milliseconds(), text))
    with open(output, "w", encoding="utf-8") as file:
        file.write(dumps[-1][1])
    netlink = reads.status["netlink"]
    print(json.dumps({
        "answers": reads.answers, "stale": reads.stale, "unmarked": reads.unmarked, "overruns": netlink["overruns"], "dropped": netlink["dropped"],
        "resyncs": reads.taken(reads.status) - reads.before, "resynced": round(reads.resynced or 0),
        "final": round(final(dumps)), "dumps": count, "without": without,
    }))


main()

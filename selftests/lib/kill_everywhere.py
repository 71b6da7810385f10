"""Kills the daemon at every register write of a scenario, and looks at what the next one makes of it. Runs in the switch's namespace.

    kill_everywhere.py FIRSTHOPD AGENT CHIP FORWARD BACKWARD every|some MAC...

FORWARD and BACKWARD are files of `ip -batch`: from one state of the kernel to another, and back. For each number N of a write, and in
both directions:

    no daemon ─ batch ─ faults ─ start ─ write N is reached ─ SIGKILL ─ faults cleared ─ start ─ wait synced ─ compare

Two ways to be cut off at N: `lost`, where the chip executes no write from N on, and `unsaid`, where it executes N and says nothing of it.
`some` takes turns: N lost on the way forward and unsaid on the way back, N+1 the other way round. `every` tries all four.

Compared is: the chip with that of a run that nobody disturbed, but for indices; the writes of the second start with those that were
missing, where a router interface or an adjacency that was cut off before anything leads to it may be made anew; and in a dump at the
moment of the kill, whether the MACs are still router MACs. Prints a line of figures for each direction.
"""

import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from agent import Agent
from chip import ROUTER, Chip
from held import differences, everything

FIRSTHOPD, AGENT, CHIP, FORWARD, BACKWARD, MOST, *MACS = sys.argv[1:]
LIMIT = 20
# More than any scenario has: a rule without a count strikes once.
FOR_EVER = 1 << 40


# Writes by which a router interface without a way to it is taken out and made anew.
HALF_MADE = 12


def half_made(d):
    """Router interfaces to which nothing leads yet: nobody can tell whose they are, so they are made anew."""
    reached = {m.fid for m in d.mappings}
    return sum(r.enabled is not False and r.fid not in reached for r in d.rifs)


def unused(d):
    """Adjacencies to which no route leads yet: nobody can tell whose they are, so each is taken out and made anew."""
    used = {n for r in d.routes if r.action == "remote" for n in range(r.adjacency, r.adjacency + r.ecmp_size)}
    return sum(a.adjacency not in used for a in d.adjacencies)


class Bench:
    def __init__(self):
        self.chip = Chip(CHIP)
        self.log = open("/run/selftest/firsthopd-r1.log", "w")  # noqa: SIM115: until the end
        self.daemon = None

    def request(self, text):
        answer = self.chip.request(text)
        if answer.ok is not True:
            sys.exit(f"{text}: {answer}")
        return answer

    def start(self):
        self.daemon = subprocess.Popen([FIRSTHOPD], stdout=self.log, stderr=self.log)

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def synced(self):
        """Waits until the daemon says so."""
        limit = time.monotonic() + LIMIT
        while True:
            try:
                agent = Agent(AGENT, LIMIT)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > limit or self.daemon.poll() is not None:
                    sys.exit("the daemon does not listen")
                time.sleep(0.002)
        agent.call("Wait", object="synced", timeout_ms=LIMIT * 1000)
        agent.close()

    def dump(self):
        return self.request('{"request":"dump"}')

    def change(self, batch):
        subprocess.run(["ip", "-batch", batch], check=True)

    def undisturbed(self, batch):
        """What the chip holds after it, and how many writes that took."""
        before = self.dump().writes_total
        self.change(batch)
        self.start()
        self.synced()
        self.kill()
        after = self.dump()
        return everything(after), after.writes_total - before

    def cut_off(self, number, unsaid):
        """From this write on the chip does nothing; or from the next one on, and is silent about this one."""
        if unsaid:
            self.add(f'"nth":{number},"action":"drop_reply"')
        self.add(f'"nth":{number + unsaid},"count":{FOR_EVER},"action":"drop_request"')

    def add(self, rule):
        self.request('{"request":"fault","verb":"add","register":"*","op":"write",' + rule + "}")

    def reached(self):
        """The chip swallowed something."""
        limit = time.monotonic() + LIMIT
        while not any(rule.struck for rule in self.request('{"request":"fault","verb":"list"}').faults):
            if time.monotonic() > limit:
                return False
            time.sleep(0.001)
        return True

    def asleep(self):
        """The daemon has taken in all that it was sent: it has one thread, and a datagram makes that runnable at once."""
        while open(f"/proc/{self.daemon.pid}/stat").read().rpartition(")")[2].split()[0] in "RD":
            time.sleep(0.0005)

    def disturbed(self, batch, number, unsaid, wanted, writes):
        """Lines about what went wrong when the daemon was killed at this write, and the writes of the second start."""
        way = "unsaid" if unsaid else "lost"
        before = self.dump().writes_total
        self.change(batch)
        self.cut_off(number, unsaid)
        self.start()
        reached = self.reached()
        # Else answers to earlier writes are lost with it, too.
        self.asleep()
        self.kill()
        self.request('{"request":"fault","verb":"clear"}')
        wrong = [] if reached else ["it was never reached"]
        cut = self.dump()
        done = cut.writes_total - before
        if done != number - 1 + unsaid:
            wrong.append(f"{done} writes were done")
        present = {r.mac for r in cut.fdb if r.action == ROUTER}
        wrong += [f"{mac} is no router MAC at the kill" for mac in MACS if mac not in present]
        self.start()
        self.synced()
        self.kill()
        after = self.dump()
        again = after.writes_total - cut.writes_total
        # A write that nobody acknowledged may be made again.
        allowed = writes - (number - 1) + HALF_MADE * half_made(cut) + 2 * unused(cut)
        if again > allowed:
            wrong.append(f"the second start wrote {again}, and {writes - done} were missing; {half_made(cut)} interfaces were half made, {unused(cut)} adjacencies unused")
        wrong += differences(everything(after), wanted)[:6]
        return [f"{batch}: killed at write {number} ({way}): {what}" for what in wrong], again


def main():
    bench = Bench()
    ways = []
    for batch in (FORWARD, BACKWARD):
        wanted, writes = bench.undisturbed(batch)
        ways.append((batch, wanted, writes))
    wrong, kills, again = [], [0, 0], [0, 0]
    begun = time.monotonic()
    for number in range(1, max(writes for *_, writes in ways) + 1):
        rounds = ((0, 1), (1, 0)) if MOST == "every" else ((number & 1, ~number & 1),)
        for flavours in rounds:
            for at, (batch, wanted, writes) in enumerate(ways):
                if number > writes:
                    bench.undisturbed(batch)
                    continue
                lines, wrote = bench.disturbed(batch, number, flavours[at], wanted, writes)
                wrong += lines
                kills[at] += 1
                again[at] += wrote
    took = time.monotonic() - begun
    for at, (batch, _, writes) in enumerate(ways):
        print(f"{batch.rsplit('/', 1)[-1]}: {writes} writes, {kills[at]} kills, {again[at] / kills[at]:.1f} writes by the second start")
    print(f"{sum(kills)} kills in {took:.1f} s, {took / sum(kills) * 1000:.0f} ms each")
    if wrong:
        sys.exit("\n".join(wrong[:30]))


main()

"""Runs the failovers of `failover` in the namespaces that it has made, and reckons from the stamps how long each part took.

    failover.py DIRECTORY [CASE]...

A run: something happens to the active router; the other one's daemon notices and changes the kernel's state; firsthopd writes to the
chip; the chip acknowledges. The former router then comes back as a backup, and the next run is its peer's turn. Nobody preempts.

    event ────── daemon ──────▶ netlink change ── ours ──▶ acknowledged
                     advertisement ──────── window ──────▶ acknowledged
    probes lost × 2 ms: outage
"""

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
import time

PROBE_US = 2000
MILLION = 1e6
FRR = "/usr/lib/frr"
SFD, WRITE, ADD = 0x200A, 2, 1
LIMIT = 60
UP = 6  # IF_OPER_UP
ALL_VRIDS = range(1, 256)

# Runs of each case without FH_RUNS.
RUNS = {
    "keepalived_sigterm_100ms": 50,
    "keepalived_sigkill_100ms": 12,
    "keepalived_linkdown_100ms": 12,
    "keepalived_sigterm_1s": 6,
    "keepalived_sigkill_1s": 3,
    "keepalived_linkdown_1s": 3,
    "frr_sigterm_100ms": 30,
    "frr_sigkill_100ms": 12,
    "frr_linkdown_100ms": 12,
    "frr_sigterm_1s": 6,
    "frr_sigkill_1s": 3,
    "frr_linkdown_1s": 3,
    "keepalived_255": 2,
}


def say(text):
    print(f"failover: {text}", file=sys.stderr, flush=True)


def vmac(vrid):
    return f"00:00:5e:00:01:{vrid:02x}"


def vip(vrid):
    return f"10.0.{vrid}.254"


def until(condition, what, limit=LIMIT):
    """Waits for a condition; its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit} s")
        time.sleep(0.01)


def ip(netns, *arguments, check=True):
    return subprocess.run(["ip", "-n", netns, *arguments], check=check, stdout=subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL)


libc = ctypes.CDLL(None)


def mortal():
    libc.prctl(1, signal.SIGKILL)


def start(netns, log, *command):
    with open(log, "ab") as out:
        return subprocess.Popen(
            ["ip", "netns", "exec", netns, *command], stdout=out, stderr=out, stdin=subprocess.DEVNULL, preexec_fn=mortal
        )


class Tail:
    """The lines that somebody writes to a file, as they come: [(nanoseconds, word, ...)]."""

    def __init__(self, path):
        self.file, self.rest, self.events = open(path, "rb"), b"", []

    def read(self):
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        for line in lines:
            when, _, what = line.decode().partition(" ")
            if when == "ready":
                continue
            if what == "lost":
                raise RuntimeError("the netlink listener was too slow")
            self.events.append((int(when), *what.split(" ")))
        return self.events

    def forget(self):
        self.read()
        self.events.clear()


class Emad:
    """Router MACs that a chip acknowledged, from its --emad-pcap: [(nanoseconds, mac)]."""

    def __init__(self, path):
        self.file, self.rest, self.asked, self.events = open(path, "rb"), b"", {}, []
        self.file.read(24)

    def read(self):
        data, offset = self.rest + self.file.read(), 0
        while offset + 16 <= len(data):
            seconds, nanos, length, _ = struct.unpack_from("<IIII", data, offset)
            if offset + 16 + length > len(data):
                break
            self.frame(seconds * 10**9 + nanos, data[offset + 16 : offset + 16 + length])
            offset += 16 + length
        self.rest = data[offset:]
        return self.events

    def frame(self, when, frame):
        # Operation TLV at 16: register, response bit, method; transaction id. See Linux's emad.h and reg.h.
        operation = struct.unpack_from(">I", frame, 20)[0]
        if operation >> 16 != SFD or operation >> 8 & 0x7F != WRITE:
            return
        transaction = frame[24:32]
        if operation >> 15 & 1:
            for mac in self.asked.pop(transaction, ()):
                self.events.append((when, mac))
            return
        offset = 32
        while offset + 4 <= len(frame):
            kind, length = frame[offset] >> 3, (struct.unpack_from(">I", frame, offset)[0] >> 16 & 0x7FF) * 4
            if kind == 3:
                self.asked[transaction] = list(self.added(frame[offset + 4 : offset + length]))
            if kind in (0, 3) or length == 0:
                break
            offset += length

    @staticmethod
    def added(register):
        if register[4] >> 6 != ADD:
            return
        for at in range(register[11]):
            yield register[0x12 + 0x10 * at : 0x18 + 0x10 * at].hex(":")

    def forget(self):
        self.read()
        self.events.clear()


class World:
    """One LAN with two routers: the chips' (`c`) or Linux's (`l`)."""

    def __init__(self, letter, directory):
        self.letter, self.directory, self.chips = letter, directory, letter == "c"
        self.active, self.daemons = 1, {}
        self.kernel = {n: self.stamp(f"{letter}{n}", f"netlink-{n}", "netlink") for n in (1, 2)}
        self.wire = {n: self.stamp(f"{letter}lan", f"wire-{n}", "frames", f"to-{n}", "00:00:5e:00:01") for n in (1, 2)}
        self.received = self.stamp(f"{letter}far", "received", "receive", "br0")
        self.emad = {n: Emad(f"{directory}/{letter}{n}.pcap") for n in (1, 2)} if self.chips else {}
        self.stalls = [self.stamp(f"{letter}host", f"stalls-{cpu}", "stalls", str(cpu)) for cpu in sorted(os.sched_getaffinity(0))] if self.chips else []
        self.prober = None

    def path(self, name):
        return f"{self.directory}/{self.letter}-{name}"

    def stamp(self, netns, name, *arguments):
        path = self.path(name)
        open(path, "w").close()
        start(netns, path, f"{self.directory}/stamp", *arguments)
        until(lambda: "ready" in open(path).readline(), f"stamp {name}")
        return Tail(path)

    def probe(self, vrid):
        self.prober = start(
            f"{self.letter}host", self.path("sender"), f"{self.directory}/stamp", "send", "eth0", vmac(vrid), "02:00:00:00:0c:01",
            "198.51.100.10", "192.0.2.10", str(PROBE_US),
        )

    def probe_no_more(self):
        if self.prober:
            self.prober.kill()
            self.prober.wait()
            self.prober = None

    def forget(self):
        for tail in [*self.kernel.values(), *self.wire.values(), *self.emad.values(), *self.stalls, self.received]:
            tail.forget()

    def netns(self, n):
        return f"{self.letter}{n}"

    def stalled(self, begin, end):
        """A processor of the machine ran nothing of ours meanwhile, not even with real-time priority."""
        return any(int(event[2]) < end and event[0] > begin for tail in self.stalls for event in tail.read())

    def forwards(self):
        """The probes arrive: ten in a row."""
        numbers = [int(event[2]) for event in self.received.read()[-10:]]
        return len(numbers) == 10 and numbers[-1] - numbers[0] == 9

    # ------------------------------------------------------------------------------------------------------------ one failover

    def happen(self, daemon, event):
        """What ends the active router; leaves when that was."""
        self.forget()
        until(self.forwards, f"{self.letter}: probes through the active router")
        self.begun, self.next = time.time_ns(), 3 - self.active
        if event == "linkdown":
            ip(f"{self.letter}lan", "link", "set", f"to-{self.active}", "down")
        else:
            daemon.end(self, self.active, signal.SIGTERM if event == "sigterm" else signal.SIGKILL)

    def change(self, daemon, vrid):
        for event in self.kernel[self.next].read():
            if event[0] > self.begun and daemon.is_active(event, vrid):
                return event[0]
        return None

    def acknowledged(self, vrid):
        if not self.chips:
            return 1
        for when, mac in self.emad[self.next].read():
            if when > self.begun and mac == vmac(vrid):
                return when
        return None

    def taken_over(self, daemon):
        """The times of the last failover, in ms, when it is over; None if it was none, as the other router was active before."""
        try:
            return self.times(daemon)
        except TimeoutError as error:
            say(f"a run is left out: {error}")
            return None
        finally:
            self.former, self.active = self.active, self.next

    def times(self, daemon):
        name, vrids = self.letter, self.vrids
        changes = {v: until(lambda v=v: self.change(daemon, v), f"{name}: VRID {v} is active on the other router", 15) for v in vrids}
        acks = {v: until(lambda v=v: self.acknowledged(v), f"{name}: VRID {v} in the other chip", 15) for v in vrids}
        last = max(*changes.values(), *acks.values())
        until(lambda: [e for e in self.received.read() if int(e[3]) > last + 30 * MILLION], f"{name}: probes through the other router")
        arrived = {int(e[2]): int(e[3]) for e in self.received.events}
        first, final = min(arrived), max(arrived)
        result = {
            "daemon": (changes[vrids[0]] - self.begun) / MILLION,
            "outage": (final - first + 1 - len(arrived)) * PROBE_US / 1000,
            "burst": (max(changes.values()) - min(changes.values())) / MILLION,
        }
        if self.chips:
            # On a busy machine the listener may have been later than the chip: such a time says nothing.
            result["ours"] = [(acks[v] - changes[v]) / MILLION for v in vrids if acks[v] >= changes[v]]
            result["awake"] = [
                (acks[v] - changes[v]) / MILLION for v in vrids if acks[v] >= changes[v] and not self.stalled(changes[v], acks[v])
            ]
            result["unstamped"] = len(vrids) - len(result["ours"])
            result["all"] = max(0, max(acks.values()) - max(changes.values())) / MILLION
            spoken = {}
            for event in self.wire[self.next].read():
                if event[0] > self.begun and event[1] == "advert":
                    spoken.setdefault(int(event[2]), event[0])
            result["window"], result["frames"] = [], 0
            for v in vrids:
                opened = min(spoken.get(v, acks[v]), acks[v])
                result["window"].append((acks[v] - opened) / MILLION)
                result["frames"] += sum(
                    1 for e in self.wire[self.next].events if e[1] == "out" and int(e[2]) == v and opened < e[0] < acks[v]
                )
        return result

    def come_back(self, daemon, event):
        """The router that failed is a backup."""
        if event == "linkdown":
            daemon.before_recovery(self, self.former)
            ip(f"{self.letter}lan", "link", "set", f"to-{self.former}", "up")
        else:
            daemon.restart(self, self.former)

    def settle(self, daemon):
        """The former router is a backup, and has heard the active one. On a busy machine it may as well be active again."""
        what = f"{self.letter}: one router is active and the other its backup"
        try:
            until(lambda: daemon.settled(self), what, 5 * daemon.patience)
        except TimeoutError as error:
            # FRR may stay in Initialize after a flap of the link.
            say(f"{error}; the former one's daemon is started anew")
            daemon.end(self, self.former, signal.SIGTERM)
            daemon.restart(self, self.former)
            until(lambda: daemon.settled(self), what)
        begin = time.time_ns()
        until(
            lambda: any(e[0] > begin and e[1] == "advert" for e in self.wire[self.active].read()),
            f"{self.letter}: an advertisement of the active router",
        )


class Keepalived:
    patience = 4

    def __init__(self, interval, vrids):
        self.interval, self.vrids = interval, vrids
        self.states = {}

    def configure(self, world, n):
        with open(world.path(f"keepalived-{n}.conf"), "w") as file:
            file.write(f"global_defs {{\n router_id r{n}\n vrrp_version 3\n}}\n")
            for v in self.vrids:
                file.write(
                    f"vrrp_instance v{v} {{\n interface swp1\n state BACKUP\n nopreempt\n virtual_router_id {v}\n priority 100\n"
                    f" advert_int {self.interval}\n use_vmac vrrp{v}\n virtual_ipaddress {{\n  {vip(v)}/32\n }}\n}}\n"
                )

    def run(self, world, n):
        self.log(world, n)
        path = world.path(f"keepalived-{n}")
        world.daemons[n] = start(
            world.netns(n), path + ".log", "keepalived", "--dont-fork", "--log-console", "--vrrp", "--log-detail",
            "--use-file", path + ".conf", "--pid", path + ".pid", "--vrrp_pid", path + ".vrrp.pid",
        )

    def log(self, world, n):
        """From here on, what it says counts."""
        path = world.path(f"keepalived-{n}.log")
        open(path, "a").close()
        self.states[world.letter, n] = os.path.getsize(path)

    def begin(self, world):
        for n in (1, 2):
            self.configure(world, n)
        world.active, world.former = 1, 2
        world.forget()
        self.run(world, 1)
        for v in self.vrids:
            until(
                lambda v=v: any(self.is_active(e, v) for e in world.kernel[1].read())
                and (not world.chips or any(mac == vmac(v) for _, mac in world.emad[1].read())),
                f"{world.letter}: VRID {v} is active at the beginning",
            )
        self.run(world, 2)

    def end(self, world, n, number):
        daemon = world.daemons[n]
        if number == signal.SIGTERM:
            daemon.send_signal(number)
            return
        # The child first: told of its parent's end it would end orderly. And the parent must not see that, or start another.
        with open(world.path(f"keepalived-{n}.vrrp.pid")) as file:
            child = int(file.read())
        daemon.send_signal(signal.SIGSTOP)
        os.kill(child, signal.SIGKILL)
        daemon.kill()

    def is_active(self, event, vrid):
        return event[1] == "addr" and event[2] == "add" and event[4] == vip(vrid)

    def restart(self, world, n):
        world.daemons[n].wait()
        self.sweep(world, n)
        self.run(world, n)

    def sweep(self, world, n):
        """What it left behind: everything after a crash, some macvlans when it had many."""
        links = json.loads(subprocess.check_output(["ip", "-n", world.netns(n), "-j", "link", "show", "type", "macvlan"]) or "[]")
        if links:
            # All at once: one by one the kernel needs 20 ms for each.
            batch = "".join(f"link set {link['ifname']} group 9\n" for link in links) + "link del group 9\n"
            subprocess.run(["ip", "-n", world.netns(n), "-force", "-batch", "-"], input=batch, text=True, check=True)

    def before_recovery(self, world, n):
        self.log(world, n)

    def settled(self, world):
        with open(world.path(f"keepalived-{world.former}.log")) as file:
            file.seek(self.states[world.letter, world.former])
            if file.read().count("Entering BACKUP STATE") < len(self.vrids):
                return False
        one, two = self.has(world, 1), self.has(world, 2)
        if one & two or len(one | two) < len(self.vrids):
            return False
        world.active = 1 if len(one) > len(two) else 2
        world.former, world.vrids = 3 - world.active, sorted(one if len(one) > len(two) else two)
        return len(world.vrids) > 0.8 * len(self.vrids)

    def has(self, world, n):
        """The VRIDs that are active there."""
        links = json.loads(subprocess.check_output(["ip", "-n", world.netns(n), "-j", "-4", "addr", "show"]))
        there = {a.get("local") for link in links for a in link.get("addr_info", ())}
        return {v for v in self.vrids if vip(v) in there}

    def over(self, world):
        ip(f"{world.letter}lan", "link", "set", f"to-{world.former}", "up")
        for daemon in world.daemons.values():
            daemon.send_signal(signal.SIGTERM)
        for daemon in world.daemons.values():
            daemon.wait()
        world.daemons.clear()
        for n in (1, 2):
            self.sweep(world, n)


class Frr:
    patience = 1

    def __init__(self, interval, vrids):
        self.interval, self.vrids = round(float(interval) * 1000), vrids

    def begin(self, world):
        for n in (1, 2):
            netns, directory = world.netns(n), world.path(f"frr-{n}")
            os.makedirs(directory, exist_ok=True)
            for v in self.vrids:
                name = f"vrrp{v}"
                ip(netns, "link", "add", name, "link", "swp1", "address", vmac(v), "type", "macvlan", "mode", "bridge")
                ip(netns, "addr", "add", f"{vip(v)}/32", "dev", name)
                ip(netns, "link", "set", name, "up")
            with open(f"{directory}/zebra.conf", "w") as file:
                file.write(f"hostname r{n}\n")
            with open(f"{directory}/vrrpd.conf", "w") as file:
                file.write("interface swp1\n")
                for v in self.vrids:
                    file.write(
                        f" vrrp {v} version 3\n vrrp {v} priority 100\n no vrrp {v} preempt\n"
                        f" vrrp {v} advertisement-interval {self.interval}\n vrrp {v} ip {vip(v)}\n"
                    )
            subprocess.run(["chown", "-R", "frr:frr", directory], check=True)
            world.daemons[f"zebra-{n}"] = self.daemon(world, n, "zebra")
            until(lambda directory=directory: os.path.exists(f"{directory}/zserv"), "zebra")
        world.active, world.former = 1, 2
        world.forget()
        self.run(world, 1)
        until(lambda: self.status(world, 1) == "Master", f"{world.letter}: FRR is active at the beginning")
        self.run(world, 2)

    def daemon(self, world, n, name):
        directory = world.path(f"frr-{n}")
        return start(
            world.netns(n), f"{directory}/{name}.log", f"{FRR}/{name}", "-u", "frr", "-g", "frr", "-f", f"{directory}/{name}.conf",
            "-i", f"{directory}/{name}.pid", "-z", f"{directory}/zserv", "--vty_socket", directory, "--log", "stdout",
        )

    def run(self, world, n):
        world.daemons[n] = self.daemon(world, n, "vrrpd")

    def end(self, world, n, number):
        world.daemons[n].send_signal(number)

    def is_active(self, event, vrid):
        return event[1] == "link" and event[3] == f"vrrp{vrid}" and event[5] == str(UP) and event[7] == "0"

    def restart(self, world, n):
        world.daemons[n].wait()
        self.run(world, n)

    def before_recovery(self, world, n):
        pass

    def status(self, world, n):
        answer = subprocess.run(
            ["vtysh", "--vty_socket", world.path(f"frr-{n}"), "-c", "show vrrp json"], capture_output=True, text=True
        )
        try:
            return json.loads(answer.stdout)[0]["v4"]["status"]
        except (ValueError, LookupError):
            return None

    def settled(self, world):
        states = [self.status(world, 1), self.status(world, 2)]
        if sorted(map(str, states)) != ["Backup", "Master"]:
            return False
        world.active, world.vrids = 1 + states.index("Master"), self.vrids
        world.former = 3 - world.active
        return True

    def over(self, world):
        ip(f"{world.letter}lan", "link", "set", f"to-{world.former}", "up")
        for daemon in world.daemons.values():
            daemon.kill()
            daemon.wait()
        world.daemons.clear()
        for n in (1, 2):
            for v in self.vrids:
                ip(world.netns(n), "link", "del", f"vrrp{v}", check=False)
            subprocess.run(["rm", "-rf", world.path(f"frr-{n}")], check=True)


# ---------------------------------------------------------------------------------------------------------------------- reckoning


def share(values, part):
    """The smallest value that that part of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]


def line(name, value, unit, peer=None, target=None, digits=3):
    answer = {"name": f"failover_{name}", "value": round(value, digits), "unit": unit}
    if peer is not None:
        answer |= {"peer": "linux macvlan", "peer_value": round(peer, digits)}
        if peer:
            answer["ratio"] = round(value / peer, 3)
    if target is not None:
        answer |= {"target": target, "met": value <= target}
        TARGETS.append(answer)
    print(json.dumps(answer), flush=True)


TARGETS, FAULTS = [], []


def report(name, runs, peers):
    """Of each part the median and the worst in a hundred."""
    line(f"{name}_runs", len(runs), "runs", digits=0)
    for part in ("outage", "daemon"):
        for percent in (50, 99):
            line(f"{name}_{part}_p{percent}", share([r[part] for r in runs], percent), "ms", share([p[part] for p in peers], percent))
    ours, window = [v for r in runs for v in r["ours"]], [v for r in runs for v in r["window"]]
    line(f"{name}_ours_p50", share(ours, 50), "ms", target=1)
    line(f"{name}_ours_p99", share(ours, 99), "ms", target=10)
    awake(name, runs)
    for percent in (50, 99):
        line(f"{name}_window_p{percent}", share(window, percent), "ms")
    line(f"{name}_window_frames", sum(r["frames"] for r in runs) / len(runs), "frames a run")


def awake(name, runs):
    """The same without the times in which the machine did not run."""
    awake = [v for r in runs for v in r["awake"]]
    line(f"{name}_ours_stalled", sum(len(r["ours"]) for r in runs) - len(awake), "changes", digits=0)
    if awake:
        line(f"{name}_ours_awake_p99", share(awake, 99), "ms", target=10)


def late_answers(directory):
    """How often a chip had not answered within 200 ms, so that it was asked again: a machine too busy for this."""
    total = 0
    for n in (1, 2):
        with open(f"{directory}/firsthopd-c{n}.log", errors="replace") as log:
            total += log.read().count("did not answer")
    return total


def measure(name, worlds):
    if name == "keepalived_255":
        # Not SIGTERM: a daemon that ends orderly deletes its macvlans one by one, for seconds, and all routers here share one kernel
        # and its lock (RTNL), for which the other router's daemon would then wait with each address.
        daemon, event, vrids = Keepalived("1", list(ALL_VRIDS)), "sigkill", list(ALL_VRIDS)
    else:
        which, event, interval = name.split("_")
        seconds = {"100ms": "0.1", "1s": "1"}[interval]
        vrids = [5]
        daemon = {"keepalived": Keepalived, "frr": Frr}[which](seconds, vrids)
    count = int(os.environ.get("FH_RUNS") or RUNS[name])
    begin, late = time.monotonic(), late_answers(worlds[0].directory)
    results = {world.letter: [] for world in worlds}
    slow = name.endswith("_1s")
    try:
        for world in worlds:
            daemon.begin(world)
            world.probe(vrids[-1])
        for world in worlds:
            world.settle(daemon)
        for _ in range(count):
            for world in worlds:
                world.happen(daemon, event)
                if not slow:
                    results[world.letter].append(world.taken_over(daemon))
            for world in worlds:
                if slow:
                    results[world.letter].append(world.taken_over(daemon))
            for world in worlds:
                world.come_back(daemon, event)
            for world in worlds:
                world.settle(daemon)
    except TimeoutError as error:
        say(f"{name}: no more runs: {error}")
        FAULTS.append(name)
    for world in worlds:
        world.probe_no_more()
        daemon.over(world)
        results[world.letter] = [r for r in results[world.letter] if r]
    if not all(results.values()):
        FAULTS.append(name)
        return
    count = len(results["c"])
    say(f"{name}: {count} runs, {time.monotonic() - begin:.0f} s")
    unstamped = sum(r["unstamped"] for r in results["c"])
    if unstamped:
        say(f"{name}: of {unstamped} changes the time is not known")
    late = late_answers(worlds[0].directory) - late
    if late:
        say(f"{name}: {late} times a chip did not answer within 200 ms")
    if name == "keepalived_255":
        line("255_runs", count, "runs", digits=0)
        line("255_newaddr_burst", share([r["burst"] for r in results["c"]], 50), "ms", share([r["burst"] for r in results["l"]], 50))
        line("255_programmed_after_last_newaddr", max(r["all"] for r in results["c"]), "ms", target=100)
        ours, window = ([v for r in results["c"] for v in r[part]] for part in ("ours", "window"))
        for percent in (50, 99):
            line(f"255_ours_p{percent}", share(ours, percent), "ms")
            line(f"255_window_p{percent}", share(window, percent), "ms")
        awake("255", results["c"])
        line("255_outage_p50", share([r["outage"] for r in results["c"]], 50), "ms", share([r["outage"] for r in results["l"]], 50))
    else:
        report(name, results["c"], results["l"])


def main():
    directory, *cases = sys.argv[1:]
    there = {"keepalived": any(os.access(f"{p}/keepalived", os.X_OK) for p in os.environ["PATH"].split(":")), "frr": os.access(f"{FRR}/vrrpd", os.X_OK)}
    line("machine_load", os.getloadavg()[0], "processes", digits=2)
    worlds = [World(letter, directory) for letter in "cl"]
    for name in cases or RUNS:
        if name not in RUNS:
            sys.exit(f"failover.py: no case {name}; there are: {' '.join(RUNS)}")
        if not there[name.split("_")[0]]:
            say(f"{name}: not installed, skipped")
            continue
        measure(name, worlds)
    for target in TARGETS:
        say(f"{'met   ' if target['met'] else 'MISSED'} {target['name']}: {target['value']} {target['unit']}, target {target['target']}")
    sys.exit(f"failover.py: not measured to the end: {' '.join(FAULTS)}" if FAULTS else 0)


if __name__ == "__main__":
    main()

"""Thousands of links, recorded and played (kernel.py): how fast are they read, followed and programmed, by whom?

    played.py RECORDING SHIM [ROW]...      `recorded` calls it, in a network namespace of its own

A peer that ran on the same octets in the same run is beside each figure that has one. Every process here is unmodified: firsthopd, hwsim,
iproute2 and zebra.
"""

import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "kernel")]
from agent import Agent
from chip import Chip

RECORDING, SHIM = sys.argv[1:3]
BIN = os.environ["FH_BIN"]
WORK = tempfile.mkdtemp(prefix="played.")
RUNS = int(os.environ.get("FH_RUNS", 3))
PORTS = 100
ZEBRA = "/usr/lib/frr/zebra"
LIMIT = 300  # seconds until something that is waited for does not come any more
STORMS = 4  # how often a recorded storm is said in a run


def report(name, value, unit, *, target=None, least=False, peer=None, peer_value=None, **more):
    """One line of the result. `target` is what the value must not exceed, or with `least` what it must reach."""
    line = {"name": name, "value": round(value, 4), "unit": unit}
    if peer:
        line |= {"peer": peer, "peer_value": round(peer_value, 4), "ratio": round(value / peer_value, 3)}
    if target is not None:
        line |= {"target": round(target, 4), "met": value >= target if least else value <= target}
    print(json.dumps(line | more), flush=True)


def until(condition):
    """Waits for a condition; its value."""
    end = time.monotonic() + LIMIT
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{condition} is not met")
        time.sleep(0.0005)
    return value


class Kernel:
    """The kernel that is played."""

    def __init__(self):
        self.path = os.path.join(WORK, "kernel")
        command = [sys.executable, "-IB", os.path.join(HERE, "kernel/kernel.py"), "play", self.path, RECORDING]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        self.environment = os.environ | {"FH_KERNEL": self.path, "LD_PRELOAD": SHIM}

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()


class Process:
    """A program that is ended when it is left."""

    def __init__(self, *command, **options):
        self.log = open(os.path.join(WORK, os.path.basename(command[0]) + ".log"), "a")
        self.process = subprocess.Popen(command, stderr=self.log, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL} | options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def rss(self):
        """Octets that are resident."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


class Switch(Process):
    """A simulated chip without anything in it."""

    def __init__(self):
        self.path = os.path.join(WORK, "hwsim")
        personality = os.path.join(HERE, "kernel/large.toml")
        super().__init__(
            os.path.join(BIN, "hwsim"), "run", "--ports", str(PORTS), "--chip-id", "bench", "--personality", personality,
            "--socket", self.path, stdout=subprocess.PIPE,
        )
        self.process.stdout.readline()

    def reset(self):
        Chip(self.path).request('{"request":"reset"}')

    def writes(self):
        """Register writes so far."""
        return Chip(self.path).ask("d.writes_total")

    def holds(self):
        """Enabled router interfaces, and records that lead a MAC of VRRP to the router."""
        return Chip(self.path).ask(
            "[sum(r.enabled for r in d.rifs), sum(r.mac.startswith('00:00:5e:00:0') for r in d.fdb)]")


class Daemon(Process):
    """firsthopd on the played kernel."""

    def __init__(self, kernel, chip=None, *options, directory=None):
        self.directory = directory or tempfile.mkdtemp(dir=WORK)
        self.path = os.path.join(self.directory, "socket")
        hwsim = ["--hwsim", chip or os.path.join(self.directory, "none")]
        self.begun = time.monotonic()
        super().__init__(
            os.path.join(BIN, "firsthopd"), *hwsim, "--socket", self.path, *options, env=kernel.environment)
        self.agent = until(self.connected)

    def connected(self):
        try:
            return Agent(self.path, LIMIT)
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def synced(self):
        self.agent.call("Wait", object="synced", timeout_ms=LIMIT * 1000)

    def status(self):
        return self.agent.call("Status")["status"]


class Slow(Process):
    """A chip whose answers come half a millisecond late (slow_chip.py)."""

    def __init__(self, hwsim, *options):
        self.path = tempfile.mktemp(dir=WORK)
        super().__init__(
            sys.executable, "-IB", os.path.join(HERE, "kernel/slow_chip.py"), self.path, hwsim, "500", *options,
            stdout=subprocess.PIPE)
        self.process.stdout.readline()


class Zebra(Process):
    """FRR's zebra on the played kernel."""

    def __init__(self, kernel, last):
        directory = tempfile.mkdtemp(dir=WORK)
        os.chmod(WORK, 0o755)
        os.chmod(directory, 0o777)
        self.path = os.path.join(directory, "zebra.vty")
        self.begun = time.monotonic()
        super().__init__(
            ZEBRA, "-i", directory + "/pid", "-z", directory + "/api", "--vty_socket", directory, "-u", "frr", "-g", "frr",
            env=kernel.environment, stdout=subprocess.DEVNULL)
        until(lambda: b"254/32" in self.ask(f"show interface {last}"))
        self.took = time.monotonic() - self.begun

    def ask(self, command):
        """As vtysh: the command and a zero; the answer ends with three zeros and a status."""
        try:
            with socket.socket(socket.AF_UNIX) as vty:
                vty.connect(self.path)
                vty.settimeout(60)
                told = b""
                for line in ("enable", command):
                    vty.sendall(line.encode() + b"\0")
                    told = b""
                    while told[-4:-1] != b"\0\0\0":
                        told += vty.recv(1 << 16)
                return told
        except (FileNotFoundError, ConnectionRefusedError):
            return b""


# ------------------------------------------------------------------------------------------------------------------- rows


def scenes(kind=""):
    """Names of recorded scenes in the order of their sizes; with `+` those with two macvlans on each VLAN."""
    names = [name for name in os.listdir(RECORDING) if name[0] in "123456789" and name.endswith("+") == (kind == "+")]
    return sorted(names, key=lambda name: int(name.rstrip("+")))


def links(scene):
    return 1 + 2 * PORTS + int(scene.rstrip("+")) * (3 if "+" in scene else 2)


def exponent(points):
    """Of the growth between the first and the last of [(size, value)]."""
    (size, value), (larger, more) = points[0], points[-1]
    return math.log(more / value) / math.log(larger / size)


def times(function):
    """Seconds of each run, lowest first."""
    return sorted(function() for _ in range(RUNS))


def in_ms(seconds):
    """What a row says of its runs."""
    lowest, highest = (round(bound(seconds) * 1e3, 2) for bound in (min, max))
    return {"value": statistics.median(seconds) * 1e3, "unit": "ms", "runs": len(seconds), "lowest": lowest, "highest": highest}


def dump_by_iproute2(kernel):
    begun = time.monotonic()
    for words in ("-d -j link show", "-j addr show"):
        subprocess.run(["ip", *words.split()], env=kernel.environment, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begun


def start_of_zebra(kernel, scene):
    """Seconds until it knows the last address, and octets that are resident then."""
    with Zebra(kernel, "v" + scene.rstrip("+")) as zebra:
        return zebra.took, zebra.rss()


def row_resync(kernel, switch):
    """Events were missed: from then until everything was read anew and compared, with nothing to write."""
    points = []
    for scene in [*scenes(), *scenes("+")]:
        kernel.tell("dumps", scene + "/dumps")
        switch.reset()
        with Daemon(kernel, switch.path) as daemon:
            daemon.synced()
            written = switch.writes()

            def resync():
                kernel.tell("asked")
                kernel.tell("truncated")
                daemon.synced()
                # from the first question: an agent that missed something again soon after the last time waits a while
                return time.monotonic() - int(kernel.tell("asked")) / 1e9

            took = times(resync)
            if switch.writes() != written:
                raise RuntimeError(f"{scene}: a resync wrote {switch.writes() - written} times")
        row, size = in_ms(took), links(scene)
        points.append((size, row["value"]))
        peer = statistics.median(times(lambda: dump_by_iproute2(kernel))) * 1e3
        report(f"resync_{size}_links", **row, target=1.5 * peer, peer="ip -d -j link show; ip -j addr show", peer_value=peer)
        if os.path.exists(ZEBRA):
            zebra = statistics.median(times(lambda: start_of_zebra(kernel, scene)[0])) * 1e3
            report(f"resync_{size}_links_zebra", **row, peer="zebra's start", peer_value=zebra)
    report("resync_growth", exponent(points), "exponent", target=1.1)


def row_intake(kernel, switch):
    """Storms of address events, until each is in the plan; with a chip until nothing is left to write."""
    points = []
    for scene in scenes():
        kernel.tell("dumps", scene + "/dumps")
        switch.reset()

        def storm(settle):
            begun = time.monotonic()
            sent = int(kernel.tell("events", scene + "/storm", STORMS))
            settle()
            return sent / (time.monotonic() - begun)

        with Daemon(kernel, switch.path) as daemon:
            daemon.synced()
            rates = times(lambda: storm(daemon.synced))
        with Process("ip", "monitor", "link", "address", "route", env=kernel.environment, stdout=subprocess.DEVNULL):
            kernel.tell("listening", 1)
            peer = statistics.median(times(lambda: storm(lambda: kernel.tell("drained"))))
        value, spread = statistics.median(rates), {"runs": RUNS, "lowest": round(rates[0]), "highest": round(rates[-1])}
        points.append((int(scene), 1 / value))
        target = {"target": 50_000, "least": True} if scene == scenes()[-1] else {}
        report(f"intake_{scene}_interfaces", value, "messages/s", peer="ip monitor", peer_value=peer, **target, **spread)
    report("intake_growth", exponent(points), "exponent", target=0.1)


def row_program(kernel, switch):
    """From the start of the daemon until everything is in the chip, and acknowledged: an empty one, one that answers late, one that has
    everything already."""
    points, restarts, sizes = [], [], []
    for scene in scenes():
        count = int(scene)
        kernel.tell("dumps", scene + "/dumps")

        def start(path, directory=None):
            before = switch.writes()
            with Daemon(kernel, path, directory=directory) as daemon:
                daemon.synced()
                took = time.monotonic() - daemon.begun
                if switch.holds() != [count, count]:
                    raise RuntimeError(f"{scene}: the chip holds {switch.holds()}")
                return took, switch.writes() - before, daemon.directory, daemon.rss()

        def program(path):
            switch.reset()
            return start(path)

        runs = [program(switch.path) for _ in range(RUNS)]
        row = in_ms([run[0] for run in runs])
        points.append((count, row["value"]))
        sizes.append((count, runs[-1][3]))
        target = {"target": 1000} if count == 4000 else {}
        report(f"program_{count}", **row, **target, writes=runs[-1][1])

        again = [start(switch.path, runs[-1][2]) for _ in range(RUNS)]
        row = in_ms([run[0] for run in again])
        restarts.append((count, row["value"]))
        report(f"restart_{count}", **row, **({"target": 300} if count == 4000 else {}), writes=max(run[1] for run in again))

        with Slow(switch.path) as slow, Slow(switch.path, "one-at-a-time") as serial:
            row = in_ms([program(slow.path)[0]])
            peer = program(serial.path)[0] * 1e3
            report(f"program_{count}_slow_chip", **row, peer="one write at a time", peer_value=peer,
                   **({"target": peer / 16} if count == 4000 else {}))
    report("program_growth", exponent(points), "exponent", target=1.1)
    report("restart_growth", exponent(restarts), "exponent", target=1.1)
    (few, small), (many, large) = sizes[0], sizes[-1]
    state = (large - small) / (many - few)
    report("state_of_an_interface", state, "octets", target=2048)
    if os.path.exists(ZEBRA):
        kernel.tell("dumps", f"{many}/dumps")
        report(f"rss_{many}", large / 2**20, "MiB", peer="zebra", peer_value=start_of_zebra(kernel, str(many))[1] / 2**20)


def row_idle(kernel, switch):
    """A daemon with a chip and a hundred ports that have nothing to do."""
    kernel.tell("dumps", "0/dumps")
    switch.reset()
    with Daemon(kernel, switch.path) as daemon:
        daemon.synced()
        report("rss_idle", daemon.rss() / 2**20, "MiB", target=16)


def main():
    kernel = Kernel()
    with Switch() as switch:
        for port in range(1, PORTS + 1):
            subprocess.run(["ip", "link", "set", f"h{port}", "up"], check=True)
        for row in sys.argv[3:] or [name[4:] for name in globals() if name.startswith("row_")]:
            globals()["row_" + row](kernel, switch)
    kernel.process.kill()


main()

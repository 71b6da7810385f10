"""Does the chip depend on the order in which things happen? Replays the scenarios of agent/tests/scenarios/order.json, which
says what they mean, on the kernel at hand.

    order.py NETNS SOCKET FIRSTHOP MOST PATTERN

Of each scenario whose name matches PATTERN, every order of its steps, or MOST of them: the file's, its reverse, and others
chosen by a fixed seed. An order counts if every command of it succeeds and the kernel ends as after the file's order.
Prints a line for each scenario; exit 1 if an order made another chip, or none but the file's counted.
"""

import itertools
import json
import random
import re
import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from chip import ROUTER, Chip
from held import held

FILE = __file__.rsplit("/", 3)[0] + "/agent/tests/scenarios/order.json"
NETNS, SOCKET, FIRSTHOP, MOST, PATTERN = sys.argv[1:6]
PORTS = ("swp1", "swp2", "swp3", "swp4")


class Tool:
    """A running `ip` or `bridge`: where a system call is dear, starting one for every command is dearer."""

    def __init__(self, *command):
        # Lines, also into a pipe.
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", *command, "-n", NETNS, "-force", "-batch", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )

    def run(self, *commands):
        """What they print, and what fails."""
        self.process.stdin.write("\n".join([*commands, "marker", ""]))
        self.process.stdin.flush()
        out, failed, line = [], [], ""
        while True:
            former, line = line, self.process.stdout.readline()
            if not line:
                raise SystemExit(f"{self.process.args[0]} ended at {commands}: {out}")
            if line.startswith("Command failed"):
                if former.startswith('Object "marker"'):
                    return out[:-1], failed
                failed.append(former.strip())
            out.append(line)

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def show(self, command):
        out, failed = self.run(command)
        if failed:
            raise SystemExit(f"{command}: {failed}")
        return "".join(out)


class Bench:
    def __init__(self, begin):
        self.begin = begin
        self.chip = Chip(SOCKET)
        self.tools = {}
        self.renew()
        # The kernel gives them random ones.
        self.begin += [f"ip link set {name}0 address 02:00:00:00:0d:0{n}" for n, name in enumerate(("dummy", "veth"))]
        self.own = {link["ifname"]: link["address"] for link in self.links() if link["ifname"] in PORTS}

    def renew(self):
        """They remember which names had which numbers."""
        for tool in self.tools.values():
            tool.end()
        # Not in JSON: without a bridge port, `bridge -j vlan` of iproute2 6.1 aborts.
        self.tools = {"ip": Tool("ip", "-d", "-j"), "bridge": Tool("bridge")}

    def links(self):
        return json.loads(self.tools["ip"].show("addr show"))

    def happen(self, steps):
        """Runs commands in order, those of one program together; what failed."""
        commands = [command.split(" ", 1) for step in steps for command in step.split("; ")]
        failed = []
        for name, group in itertools.groupby(commands, lambda command: command[0]):
            failed += self.tools[name].run(*(arguments for _, arguments in group))[1]
        return failed

    def clear(self):
        """Ports as they were, and nothing else."""
        # All at once: taking netdevs away one by one takes the kernel longer.
        made = [l["ifname"] for l in self.links() if re.match(r"(lo|swp\d|h\d)$", l["ifname"]) is None]
        text = [f"link set {name} group 9" for name in made] + ["link del group 9"] * bool(made)
        for name in PORTS:
            text += [f"link set {name} nomaster protodown off", f"addr flush dev {name}"]
            text += [f"link set {name} address {self.own[name]} mtu 1500 up"]
        self.tools["ip"].run(*text)
        self.tools["bridge"].run(*(f"fdb del {mac} dev {name} self" for name, mac in self.added()))

    def added(self):
        """Unicast MACs in the filters of ports, which somebody told them to receive."""
        entries = re.findall(r"^(.[02468ace]:\S+) dev (swp\d) .*\bself\b", self.tools["bridge"].show("fdb show"), re.MULTILINE)
        return sorted((name, mac) for mac, name in entries)

    def kernel(self):
        """What the kernel came to, without traces of how, and without MACs that it chose at random."""
        given = re.compile("|".join(["00:", "02:00:00:", *self.own.values()]))
        state = []
        for link in self.links():
            info = link.get("linkinfo", {})
            state.append((
                link["ifname"], given.match(link["address"]) and link["address"], link["mtu"], "UP" in link["flags"], link.get("master"), link.get("link"),
                link.get("proto_down", False), info.get("info_data", {}).get("vlan_filtering"),
                info.get("info_slave_data", {}).get("state"), info.get("info_slave_data", {}).get("locked"),
                tuple(sorted((a["local"], a["prefixlen"]) for a in link["addr_info"])),
            ))
        for name, vlans in re.findall(r"^(\S+)(.*\n(?:\s.*\n)*)", self.tools["bridge"].show("vlan show"), re.MULTILINE):
            state.append((name, sorted(line.split() for line in vlans.splitlines())))
        return sorted(map(str, state)), self.added()

    def comes_to_end(self, end):
        """The kernel comes to this state. Carriers and what follows from them come from a work queue: late on a busy machine."""
        limit = time.monotonic() + 0.3
        while self.kernel() != end:
            if time.monotonic() > limit:
                return False
            time.sleep(0.03)
        return True

    def held(self):
        """What the chip holds, with descriptions in the place of numbers."""
        return held(self.chip.request('{"request":"dump"}'))

    def play(self, scenario, order):
        """Why this order does not count, or None."""
        self.clear()
        self.renew()
        trouble = self.happen(self.begin + scenario["setup"])
        if trouble:
            raise SystemExit(f"{scenario['name']}: the setup fails: {trouble}")
        self.synced()
        return self.happen([scenario["steps"][at] for at in order])

    @staticmethod
    def synced():
        subprocess.run([FIRSTHOP, "-n", NETNS, "wait", "synced", "timeout", "10"], check=True)

    def comes_to(self, wanted):
        """What is different after three seconds: a former MAC is given up after one. None: nothing."""
        limit = time.monotonic() + 3
        while True:
            self.synced()
            held = self.held()
            different = [f"{name}: {held[name]}, not {wanted[name]}" for name in wanted if held[name] != wanted[name]]
            if not different or time.monotonic() > limit:
                return different
            time.sleep(0.05)

    def promised(self, scenario):
        """What of the file's promise does not hold, also after three seconds: a former MAC is given up after one."""
        limit = time.monotonic() + 3
        while (missing := self.missing(scenario)) and time.monotonic() < limit:
            time.sleep(0.05)
        return missing

    def missing(self, scenario):
        shown = {link["ifname"]: link["address"] for link in self.links()}
        d = self.chip.request('{"request":"dump"}')
        rifs = sorted(r.mac for r in d.rifs if r.enabled is not False)
        wanted = sorted(shown[name] for name in scenario["rifs"])
        if rifs != wanted:
            return [f"router interfaces are {rifs}, should be {wanted}"]
        macs = {r.mac for r in d.fdb if r.action == ROUTER}
        macvlans = {name: mac for name, mac in shown.items() if name.startswith("vmac") and mac not in wanted}
        return [
            f"{name}'s MAC is {'not ' if name in scenario['vmacs'] else ''}routed"
            for name, mac in macvlans.items()
            if (mac in macs) != any(shown[other] == mac for other in scenario["vmacs"])
        ]


def orders(count):
    every = list(itertools.permutations(range(count)))
    if MOST == "all" or len(every) <= int(MOST):
        return every
    chosen = random.Random(count).sample(every[1:-1], int(MOST) - 2)
    return [every[0], every[-1], *chosen]


def main():
    with open(FILE, encoding="utf-8") as file:
        told = json.load(file)
    bench, failed = Bench(told["begin"]), False
    for scenario in told["scenarios"]:
        if not re.match(PATTERN, scenario["name"]):
            continue
        begun = time.monotonic()
        counted, wrong, wanted, end = 0, [], None, None
        for order in orders(len(scenario["steps"])):
            trouble = bench.play(scenario, order)
            if wanted is None:
                if trouble:
                    raise SystemExit(f"{scenario['name']}: {trouble}")
                bench.synced()
                end, counted = bench.kernel(), 1
                wrong += bench.promised(scenario)
                # What is promised may be there before the rest of the same change.
                bench.synced()
                wanted = bench.held()
            elif not trouble and bench.comes_to_end(end):
                counted += 1
                wrong += [f"in the order {order}: {what}" for what in bench.comes_to(wanted)]
        bad = wrong or counted < 2
        failed |= bool(bad)
        took = time.monotonic() - begun
        print(f"{'BAD ' if bad else ''}{scenario['name']}: {counted} orders, {took:.1f} s", *wrong[:6], sep="\n    ", flush=True)
    sys.exit(failed)


main()

"""Holds the chip's routes against the kernel's, by what `ip` says and what the chip's own socket says.

    routes.py wait NS SOCKET MS        they agree within MS milliseconds; prints how many there are and how long it took
    routes.py flap SEED ROUTES STEPS VIA,VIA... NEIGHBOUR
                                       a batch for `ip -batch`: STEPS random changes of ROUTES prefixes of 10.128.0.0/9, and of one
                                       neighbour (`ADDRESS lladdr MAC dev DEV`); a VIA is `ADDRESS@DEV`

What a route should come to is worked out here once more, for ports (no VLANs, bonds or bridges): it shares no code with the project.
Every prefix of a table that a router interface looks up is in the chip with the right action, and so is every neighbour; the chip has no
other prefix than these and the two default ones, no other neighbour, and no adjacency that no route leads to. Addresses of interfaces, and
their broadcast addresses, may go to the CPU even while the kernel has no route for them because the interface is down.
"""

import collections
import ipaddress
import json
import math
import random
import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from chip import Chip

MAIN = 254
# The three that are looked up one after the other, where there is no rule that says otherwise.
TABLES = {255: 0, MAIN: 1, 253: 2}
NAMES = {"local": 255, "main": MAIN, "default": 253}
KNOWN = {"REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT"}
CPU, MISS = ("trap", "external_route"), "trap"
DEFAULTS = {ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")}


def ip(ns, *arguments):
    output = subprocess.run(["ip", "-n", ns, "-j", *arguments], check=True, capture_output=True).stdout
    # of two members with one name, the tunnel's destination is the second
    return json.loads(output or "[]", object_pairs_hook=lambda pairs: dict(reversed(pairs)))


def network(text, version):
    if text == "default":
        return ipaddress.ip_network("0.0.0.0/0" if version == 4 else "::/0")
    return ipaddress.ip_network(text, strict=False)


def by_itself(prefix):
    """What a chip does not look a route up for."""
    at = prefix.network_address
    if prefix.version == 4:
        return at.is_loopback or at.is_multicast
    return prefix.prefixlen >= 8 and (at.is_loopback or at.is_multicast or at.is_link_local)


class Kernel:
    """What the kernel says at one moment, or nearly."""

    def __init__(self, ns, ports):
        links = ip(ns, "-d", "link")
        tables = {
            link["ifname"]: link["linkinfo"]["info_data"]["table"]
            for link in links
            if link.get("linkinfo", {}).get("info_kind") == "vrf"
        }
        self.table_of = {link["ifname"]: tables.get(link.get("master"), MAIN) for link in links if link["ifname"] in ports}
        own = [
            ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}")
            for link in ip(ns, "addr")
            for address in link.get("addr_info", ())
        ]
        self.own = {ipaddress.ip_network(address) for at in own for address in (at.ip, at.network.broadcast_address)}
        self.hosts = {}
        for family in "-4", "-6":
            for host in ip(ns, family, "neigh"):
                if "lladdr" in host and KNOWN & set(host["state"]):
                    self.hosts[host["dev"], ipaddress.ip_address(host["dst"])] = host["lladdr"]
        routes = collections.defaultdict(list)
        for version in 4, 6:
            for order, route in enumerate(ip(ns, f"-{version}", "route", "show", "table", "all")):
                table, prefix = route.get("table", "main"), network(route["dst"], version)
                table = NAMES.get(table) or int(table)
                if not by_itself(prefix):
                    router = MAIN if table in TABLES else table
                    metric = 0 if version == 4 else route.get("metric", 0)
                    routes[router, prefix].append((TABLES.get(table, 0), metric, order, route))
        # the kernel shows IPv4's in the order in which they count
        self.routes = {key: [route for *_, route in sorted(found, key=lambda entry: entry[:3])] for key, found in routes.items()}


def hops(route):
    return [
        (hop.get("dev"), hop.get("gateway") or hop.get("via", {}).get("host"), hop.get("weight", 1), "dead" in hop["flags"])
        for hop in route.get("nexthops", [route])
    ]


def expected(kernel, rifs, routes):
    """(action, detail) of a prefix with these routes."""
    if any("tos" in route or route.get("type") == "throw" for route in routes):
        return CPU
    route = routes[0]
    kind = route.get("type", "unicast")
    if kind in ("local", "broadcast", "anycast"):
        return "ip2me", None
    if kind == "blackhole":
        return "trap", "blackhole_route"
    if kind in ("unreachable", "prohibit"):
        return "trap", "reject_route"
    ways = hops(route)
    if "encap" in route or any("encap" in hop for hop in route.get("nexthops", [])) or kind != "unicast":
        return CPU
    if not any(gateway for _, gateway, _, _ in ways):
        return ("local", rifs[ways[0][0]]) if len(ways) == 1 and ways[0][0] in rifs else CPU
    if not all(gateway for _, gateway, _, _ in ways) or not any(dev in rifs for dev, *_ in ways):
        return CPU
    divisor = math.gcd(*(weight for _, _, weight, _ in ways))
    places = collections.Counter()
    for dev, gateway, weight, dead in ways:
        mac = kernel.hosts.get((dev, ipaddress.ip_address(gateway)))
        if not dead:
            places[(rifs[dev], mac) if dev in rifs and mac else MISS] += weight // divisor
    # the share of a dead one goes to the others, in whatever way
    return "remote", set(places) if any(dead for *_, dead in ways) else shares(places)


def shares(places):
    """The same in the smallest numbers: a group may have more places than it needs."""
    divisor = math.gcd(*places.values()) or 1
    return collections.Counter({where: count // divisor for where, count in places.items()})


def actual(dump, adjacencies, route):
    trap = route.get("trap")
    if route["action"] == "ip2me":
        return "ip2me", None
    if trap is not None:
        return "trap", trap
    if route["action"] == "local":
        return "local", route["erif"]
    first, size = route["adjacency"], route["ecmp_size"]
    rows = [adjacencies.get(index) for index in range(first, first + size)]
    leads = ("nothing" if row is None else MISS if row.get("trap") else (row["rif"], row["mac"]) for row in rows)
    return "remote", shares(collections.Counter(leads))


def differences(ns, chip):
    ports = {port["ifname"]: port["local_port"] for port in chip.request('{"request":"ports"}').ports}
    kernel = Kernel(ns, ports)
    dump = chip.request('{"request":"dump"}')
    enabled = {rif["port"]: rif for rif in dump.rifs if rif["enabled"] and "port" in rif}
    of_port = {ifname: enabled[port] for ifname, port in ports.items() if port in enabled}
    rifs = {ifname: rif["rif"] for ifname, rif in of_port.items()}
    routers = {kernel.table_of[ifname]: rif["virtual_router"] for ifname, rif in of_port.items() if ifname in kernel.table_of}
    adjacencies = {row["adjacency"]: row for row in dump.adjacencies}
    held = {(route["vr"], ipaddress.ip_network(route["prefix"])): route for route in dump.routes}
    used = set()
    for (table, prefix), routes in kernel.routes.items():
        if table not in routers:
            continue
        route = held.pop((routers[table], prefix), None)
        should, found = expected(kernel, rifs, routes), route and actual(dump, adjacencies, route)
        if found and found[0] == "remote":
            used.update(range(route["adjacency"], route["adjacency"] + route["ecmp_size"]))
            if isinstance(should[1], set):
                found = "remote", set(found[1])
        if found != should:
            yield f"{prefix} of table {table}: should be {should}, is {found}; {json.dumps(routes)}"
    for (router, prefix), route in held.items():
        found = actual(dump, adjacencies, route)
        if (prefix not in DEFAULTS or found != CPU) and (prefix not in kernel.own or found[0] != "ip2me"):
            yield f"{prefix} of virtual router {router}: the kernel has no such route; {json.dumps(route)}"
    unused = sorted(set(adjacencies) - used)
    if unused:
        yield f"no route leads to adjacencies {unused}"
    should = {
        (rifs[dev], host): mac
        for (dev, host), mac in kernel.hosts.items()
        if dev in rifs and not by_itself(ipaddress.ip_network(host))
    }
    hosts = {(host["rif"], ipaddress.ip_address(host["address"])): host["mac"] for host in dump.neighbours}
    for key in should.keys() | hosts.keys():
        if should.get(key) != hosts.get(key):
            yield f"host {key[1]} on rif {key[0]}: should be {should.get(key)}, is {hosts.get(key)}"
    differences.counts = f"{len(dump.routes)} routes, {len(hosts)} hosts, {len(adjacencies)} adjacencies"


def wait(ns, path, limit):
    chip, begin = Chip(path), time.monotonic()
    while True:
        started = time.monotonic()
        try:
            found = list(differences(ns, chip))
        except subprocess.CalledProcessError as error:  # a dump that a change has interrupted
            found = [f"{error}: {error.stderr.decode()}"]
        if not found:
            print(f"{differences.counts}; after {(started - begin) * 1000:.0f} ms")
            return
        if started - begin > limit:
            for line in found[:6]:
                print(line)
            sys.exit(f"{len(found)} differences after {limit:g} s")


def flap(seed, count, steps, ways, neighbour):
    draw = random.Random(seed)
    prefixes = [f"10.{128 + number // 256}.{number % 256}.0/24" for number in range(count)]
    there, known = set(), True
    for _ in range(steps):
        if draw.randrange(50) == 0:
            words = neighbour.split()
            known = not known
            print(f"neigh replace {neighbour} nud permanent" if known else f"neigh del {words[0]} {' '.join(words[3:])}")
        prefix, (gateway, dev) = draw.choice(prefixes), draw.choice(ways)
        via = f"via {gateway} dev {dev}"
        if prefix not in there:
            verb = draw.choice(["add", "append", "replace"])
        elif draw.randrange(2):
            verb = "replace"
        else:
            verb, via = "del", ""
        (there.discard if verb == "del" else there.add)(prefix)
        kind = draw.choice(["blackhole ", "unreachable "]) if verb == "replace" and draw.randrange(8) == 0 else ""
        print(f"route {verb} {kind}{prefix} {'' if kind else via}".rstrip())
    if not known:
        print(f"neigh replace {neighbour} nud permanent")


def main():
    verb, *arguments = sys.argv[1:]
    if verb == "wait":
        wait(arguments[0], arguments[1], float(arguments[2]) / 1000)
    elif verb == "flap":
        seed, count, steps, ways, neighbour = arguments
        flap(int(seed), int(count), int(steps), [way.split("@") for way in ways.split(",")], neighbour)
    else:
        sys.exit(f"unknown verb {verb}")


if __name__ == "__main__":
    main()

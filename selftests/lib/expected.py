"""Which router MACs must the chip have? A naive answer from the kernel's own words, compared with the chip's dump.

    ip -j -d addr show | expected.py SOCKET

A port has a router interface if it has an address that counts: any but a link-local whose duplicate address detection is
not over, and none whose detection failed. A macvlan on it is routed for if both are up with carrier, it is not proto_down, and
it has an IPv4 address (the soak gives it nothing else that counts). It shares no code with the project.
Exit 1 with both sides on stderr if they differ.
"""

import json
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from chip import ROUTER, Chip

DOWN = {"DOWN", "LOWERLAYERDOWN", "NOTPRESENT"}


def counts(address):
    if address.get("dadfailed"):
        return False
    return not (address["scope"] == "link" and address["family"] == "inet6" and address.get("tentative"))


def up(link):
    return "UP" in link["flags"] and link["operstate"] not in DOWN


def expected(links):
    by_name = {link["ifname"]: link for link in links}
    is_port = {name for name, link in by_name.items() if any(a.startswith("hwsim-") for a in link.get("altnames", []))}
    routed = {name for name in is_port if any(counts(a) for a in by_name[name].get("addr_info", []))}
    wanted = sorted((name, by_name[name]["address"]) for name in routed)
    for name, link in by_name.items():
        if link.get("linkinfo", {}).get("info_kind") != "macvlan" or link.get("link") not in routed:
            continue
        has_ipv4 = any(a["family"] == "inet" for a in link.get("addr_info", []))
        if up(link) and up(by_name[link["link"]]) and not link.get("proto_down") and has_ipv4:
            wanted.append((link["link"], link["address"]))
    return sorted(set(wanted)), {name: by_name[name] for name in routed}


def main():
    wanted, routed = expected(json.load(sys.stdin))
    chip = Chip(sys.argv[1])
    dump = chip.request('{"request":"dump"}')
    ports = {p.local_port: p.ifname for p in chip.request('{"request":"ports"}').ports}
    rifs = {ports[r.port]: r for r in dump.rifs if r.enabled}
    fids = {m.fid: ports[m.port] for m in dump.mappings if m.port is not None}
    have = sorted({(fids.get(r.fid, f"fid {r.fid}"), r.mac) for r in dump.fdb if r.action == ROUTER})
    if have != wanted:
        sys.exit(f"router MACs: chip {have}, kernel {wanted}")
    interfaces = {name: (rif.mac, rif.mtu) for name, rif in rifs.items()}
    links = {name: (link["address"], link["mtu"]) for name, link in routed.items()}
    if interfaces != links:
        sys.exit(f"router interfaces: chip {interfaces}, kernel {links}")


if __name__ == "__main__":
    main()

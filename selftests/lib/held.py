"""What does a chip hold, with descriptions in the place of the numbers that an agent chose? Two dumps that are equal here differ in
nothing that a packet could notice.

    held.py same FILE OTHER      two dumps in files; exit 1 with the tables that differ
"""

import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from chip import ROUTER
from query import document


def described(d):
    """Router interfaces, FIDs and LAGs of a dump by number."""
    lag = {l.lag: tuple(l.members) for l in d.lags}
    ways = {f.fid: [] for f in d.fids}
    for m in d.mappings:
        ways.setdefault(m.fid, []).append((m.port or 0, m.vid))
    fid = {f.fid: (f.flood_rsp, tuple(sorted(ways[f.fid]))) for f in d.fids}
    rif = {
        r.rif: (r.type, r.mac, r.mtu, r.vrrp_id_ipv4, r.vrrp_id_ipv6, r.vid, r.port, lag.get(r.lag), fid.get(r.fid))
        for r in d.rifs
        if r.enabled is not False
    }
    return rif, fid, lag


def held(d):
    """What follows from netdevs alone."""
    rif, fid, lag = described(d)
    enabled = [r for r in d.rifs if r.enabled is not False]
    together = lambda key: sorted(
        str(sorted(str(rif[r.rif]) for r in enabled if getattr(r, key) == n))
        for n in {getattr(r, key) for r in enabled}
    )
    return {
        "router interfaces": sorted(map(str, rif.values())),
        "virtual routers": together("virtual_router"),
        "MAC profiles": together("mac_profile"),
        "router MACs": sorted(str((fid.get(r.fid), r.mac)) for r in d.fdb if r.action == ROUTER),
        "FIDs": sorted(str((fid[f.fid], rif.get(f.irif))) for f in d.fids),
        "mappings": sorted(str((m.port, m.vid, fid.get(m.fid), rif.get(m.irif))) for m in d.mappings),
        "LAGs": sorted(str((lag[l.lag], l.collectors, l.distributors)) for l in d.lags),
    }


def everything(d):
    """And what else is written: routes and where they lead, neighbours, traps and policers."""
    rif, _, _ = described(d)
    adjacency = {a.adjacency: str((rif.get(a.rif), a.mac)) for a in d.adjacencies}
    leads = lambda row: [adjacency.get(n) for n in range(row.adjacency, row.adjacency + row.ecmp_size)] if row.action == "remote" else None
    members = {}
    for r in d.rifs:
        if r.enabled is not False:
            members.setdefault(r.virtual_router, []).append(str(rif[r.rif]))
    plain = lambda row, *numbers: {key: value for key, value in row.items() if key not in numbers}
    numbers = ("vr", "erif", "adjacency")
    routed = lambda row: str(
        (sorted(members.get(row.vr, [])), rif.get(row.erif), leads(row), sorted(plain(row, *numbers).items()))
    )
    return held(d) | {
        "routes": sorted(map(routed, d.routes)),
        "adjacencies": sorted(adjacency.values()),
        "neighbours": sorted(str((rif.get(n.rif), sorted(plain(n, "rif").items()))) for n in d.neighbours),
        "traps": sorted(str(sorted(t.items())) for t in d.traps),
        "trap groups": sorted(str(sorted(t.items())) for t in d.trap_groups),
        "policers": sorted(str(sorted(plain(p, "dropped").items())) for p in d.policers),
    }


def differences(one, other):
    """Lines about tables of `everything` that differ."""
    lines = []
    for name in one:
        if one[name] != other[name]:
            lines += [f"{name}: only the first has {row}" for row in one[name] if row not in other[name]]
            lines += [f"{name}: only the second has {row}" for row in other[name] if row not in one[name]]
            lines = lines or [f"{name}: rows are there more than once"]
    return lines


def main():
    with open(sys.argv[2], encoding="utf-8") as one, open(sys.argv[3], encoding="utf-8") as other:
        found = differences(everything(document(one.read())), everything(document(other.read())))
    if found:
        sys.exit("\n".join(found[:20]))


if __name__ == "__main__":
    main()

"""Was each virtual MAC's record written at most once a change?

    once.py ADDED REMOVED < timeline        of many.sh: VRID N has the MAC 00:00:5e:00:01:N and the address 10.0.N.254

A change is a message of the kernel that the address came or went. At least ADDED records must have been added, and REMOVED removed,
of different MACs. Exit 1 with what is wrong.
"""

import collections
import re
import sys


def main():
    changes, writes = collections.Counter(), collections.Counter()
    for line in sys.stdin:
        if found := re.search(r"kernel (Deleted )?.* inet 10\.0\.(\d+)\.254/", line):
            changes["remove" if found[1] else "add", int(found[2])] += 1
        elif found := re.search(r"chip SFD (\w+) mac 00:00:5e:00:01:(..) ", line):
            writes[found[1], int(found[2], 16)] += 1
    wrong = [f"{operation} VRID {n}: {count} writes, {changes[operation, n]} changes" for (operation, n), count in sorted(writes.items())
             if count > changes[operation, n]]
    for operation, least in zip(("add", "remove"), map(int, sys.argv[1:])):
        if (number := sum(1 for key in writes if key[0] == operation)) < least:
            wrong.append(f"{operation}: of {number} MACs, not {least}")
    flaps = sum(writes.values()) - len(writes)
    print(f"{sum(writes.values())} records written, {flaps} of them because the daemon changed its mind")
    if wrong:
        sys.exit("\n".join(wrong[:8]))


if __name__ == "__main__":
    main()

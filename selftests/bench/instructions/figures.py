"""What a run of `instructions` under callgrind took, and whether that is more than the table says.

    figures.py of PROFILE          a table of PROFILE.1, PROFILE.2, ... with the program's output on standard input, a line each
    figures.py hold TABLE FIGURES PIECE
                                   ends with 1 if the piece takes more by FIGURES than by TABLE; says what else there is to say

Of instructions only the program's own count. How many the C library needs to copy octets, and to find room, depends on its release
and on the processor, which it asks for the best way; of that the calls count that ask for memory. A run repeats to the instruction.
"""

import re
import sys

# How much more may be taken until it counts as slower, and how much less until the table is to be written anew.
ROOM = {"instructions": 0.05, "allocations": 0.02}
STALE = 0.10

ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}
NAMED = re.compile(r"(c?)(ob|fn)=(\((\d+)\))?(?: ?(.*))?")
COST = re.compile(r"[+*-]?\d* \d+$|[+*-]\d* \d+$")


class Profile:
    """One part: instructions by object, and calls of allocators by the object that makes them."""

    def __init__(self, path):
        self.instructions, self.allocations = {}, {}
        names = {"ob": {}, "fn": {}}
        here, callee, called = {}, {}, False
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                line = line.rstrip("\n")
                if found := NAMED.fullmatch(line):
                    is_callee, kind, _, number, name = found.groups()
                    if name:
                        names[kind][number] = name
                    name = name or names[kind].get(number, "")
                    (callee if is_callee else here)[kind] = name
                elif line.startswith("calls="):
                    called = True
                    if callee.get("fn", "").split("'")[0] in ALLOCATORS:
                        calls = int(line[len("calls="):].split()[0])
                        self.allocations[here["ob"]] = self.allocations.get(here["ob"], 0) + calls
                    callee = {}
                elif COST.fullmatch(line):
                    # the line after a call has what the callee took
                    if not called:
                        cost = int(line.split()[-1])
                        self.instructions[here["ob"]] = self.instructions.get(here["ob"], 0) + cost
                    called = False

    def own(self, figures):
        return sum(figure for name, figure in figures.items() if name.endswith("/instructions"))


def of(path):
    print(f"{'# piece':<12}{'per':<10}{'instructions':>14}{'allocations':>14}")
    for number, line in enumerate(sys.stdin, 1):
        piece, count, unit = line.split()
        profile = Profile(f"{path}.{number}")
        instructions, allocations = profile.own(profile.instructions), profile.own(profile.allocations)
        if not instructions:
            sys.exit(f"{piece}: nothing was counted")
        print(f"{piece:<12}{unit:<10}{instructions / int(count):>14.1f}{allocations / int(count):>14.2f}")


def table(path):
    with open(path, encoding="utf-8") as lines:
        rows = [line.split() for line in lines if not line.startswith("#") and line.strip()]
    return {row[0]: {"instructions": float(row[2]), "allocations": float(row[3])} for row in rows}


def hold(baseline, figures, piece):
    then, now = table(baseline).get(piece), table(figures)[piece]
    if then is None:
        sys.exit(f"{piece} is not in the table")
    more = []
    for name, room in ROOM.items():
        change = now[name] / then[name] - 1 if then[name] else float(now[name] > 0)
        text = f"{piece}: {now[name]:.2f} {name}, the table says {then[name]:.2f} ({change:+.1%})"
        if change > room:
            more.append(text)
        else:
            print(text + (", so it is to be written anew" if change < -STALE else ""))
    if more:
        sys.exit("\n".join(more))


if __name__ == "__main__":
    {"of": of, "hold": hold}[sys.argv[1]](*sys.argv[2:])

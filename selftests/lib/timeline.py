"""When did the kernel say what, and when was the chip written?

    timeline.py PCAP FROM MONITOR [FRAMES]   all of it in order, a line each: SECONDS WHO WHAT

PCAP is a simulator's --emad-pcap, of which the first FROM writes are left out: WHO is `chip`, WHAT as chip.py has it. MONITOR is the
output of `ip -o -ts monitor link addr`, WHO `kernel`; its times are those at which ip read the message. FRAMES is the output of
`timeline.py frames`.

    timeline.py writes PCAP FROM             the chip's part alone, without times

    timeline.py frames NETNS:IFNAME          until SIGTERM: a line for each frame that is received, with the kernel's time

    timeline.py when SOCKET EXPR             prints `SECONDS dump EXPR` when EXPR first holds of the chip's dump, asked each 0.3 ms

    timeline.py between ONE OTHER < lines    milliseconds from the first line that ONE matches to the first that OTHER does; negative
                                             if that came before: ip and the simulator look at the clock when they get to it
"""

import datetime
import re
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import chip
import frames
import watch

SO_TIMESTAMPNS = 35


def chip_writes(path, first):
    """What chip.writes yields, with times, and without requests that were sent again because the answer was late: same number."""
    with open(path, "rb") as file:
        data = file.read()
    fraction = 1e9 if struct.unpack_from("<I", data)[0] == 0xA1B23C4D else 1e6
    times, again, seen, offset = [], [], set(), 24
    while offset + 16 <= len(data):
        seconds, part, length, _ = struct.unpack_from("<IIII", data, offset)
        frame = data[offset + 16 : offset + 16 + length]
        offset += 16 + length
        if offset <= len(data) and not chip.word(frame, 20) >> 15 & 1 and chip.word(frame, 20) >> 8 & 0x7F == 2:
            times.append(seconds + part / fraction)
            again.append(frame[24:32] in seen)
            seen.add(frame[24:32])
    for number, (when, repeated, (register, payload)) in enumerate(zip(times, again, chip.writes(path), strict=False)):
        if number >= first and not repeated:
            for line in chip.describe(register, payload):
                yield when, "chip", line


def kernel_lines(path):
    with open(path) as file:
        for line in file:
            if found := re.match(r"\[(\S+)\] (.*)", line):
                yield datetime.datetime.fromisoformat(found[1]).timestamp(), "kernel", found[2]


def frame_lines(path):
    with open(path) as file:
        for line in file:
            when, _, what = line.rstrip("\n").partition(" ")
            if what:
                yield float(when), "wire", what


def record(where):
    sock = frames.packet_socket(where)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    print("listening", flush=True)
    while True:
        frame, ancillary, _, _ = sock.recvmsg(65536, 256)
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
        found = watch.fields(frame)
        words = (found["src"], ">", found["dst"], found["kind"], found["proto"], found["sip"], found["dip"])
        print(f"{seconds + nanoseconds / 1e9:.6f}", *words, flush=True)


def first_time(path, expression):
    asked = chip.Chip(path)
    print("asking", flush=True)
    while not asked.ask(expression):
        time.sleep(0.0003)
    print(f"{time.time():.6f} dump {expression}", flush=True)


def between(*patterns):
    lines = list(sys.stdin)
    times = [next((float(line.split()[0]) for line in lines if re.search(pattern, line)), None) for pattern in patterns]
    if None in times:
        sys.exit(f"timeline.py: nothing matches `{patterns[times.index(None)]}`")
    print(f"{(times[1] - times[0]) * 1000:.1f}")


def main():
    if sys.argv[1] == "frames":
        record(sys.argv[2])
    elif sys.argv[1] == "writes":
        for _, _, what in chip_writes(sys.argv[2], int(sys.argv[3])):
            print(what)
    elif sys.argv[1] in ("when", "between"):
        {"when": first_time, "between": between}[sys.argv[1]](*sys.argv[2:])
    else:
        lines = [*chip_writes(sys.argv[1], int(sys.argv[2])), *kernel_lines(sys.argv[3])]
        if len(sys.argv) > 4:
            lines += frame_lines(sys.argv[4])
        for when, who, what in sorted(lines):
            print(f"{when:.6f} {who} {what}")


if __name__ == "__main__":
    main()

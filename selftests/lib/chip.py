"""Asks the simulated chip over its own socket, without the client that is under test.

    chip.py eval SOCKET EXPR                          prints EXPR
    chip.py test SOCKET EXPR                          exit 0 if EXPR holds
    chip.py wait SOCKET EXPR MS                       ... within MS milliseconds
    chip.py time SOCKET EXPR MS COMMAND...            runs the command; prints the milliseconds from its start until EXPR
    chip.py always SOCKET EXPR UNTIL MS COMMAND...    EXPR holds in every dump while the command runs and until UNTIL holds
    chip.py request SOCKET JSON                       one control request, answer on stdout
    chip.py writes PCAP FROM                          the register writes of an --emad-pcap file after the first FROM, in order
    chip.py count PCAP                                how many there are

In EXPR `d` is the dump, `c` the counters; `macs(fid)` the router MACs in a FID; `rif(mac)` the enabled RIF with that MAC.
`writes` decodes by the register layouts of Linux's mlxsw (reg.h), on its own: it shares no code with the project.
"""

import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from query import Doc, document, evaluate, text

ROUTER = "forward_ip_router"


class Chip:
    """A connection to the simulator's control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        self.socket.connect(path)

    def request(self, request):
        self.socket.send(request.encode())
        whole = ""
        while True:
            datagram = self.socket.recv(1 << 20)
            if not datagram:
                raise ConnectionError("the simulator closed the connection")
            answer = document(datagram.decode())
            if answer.parts is None:
                return answer
            whole += answer.text
            if answer.part == answer.parts:
                return document(whole)

    def ask(self, expression):
        needs_counters = "c." in expression
        return ask(
            expression,
            self.request('{"request":"dump"}'),
            self.request('{"request":"counters"}') if needs_counters else None,
        )


def ask(expression, dump, counters=None):
    def macs(fid=None):
        return sorted(
            r.mac for r in dump.fdb if r.action == ROUTER and fid in (None, r.fid)
        )

    def rif(mac):
        found = [r for r in dump.rifs if r.enabled is not False and r.mac == mac]
        return found[0] if found else Doc()

    return evaluate(expression, d=dump, c=counters, macs=macs, rif=rif)


def until(chip, expression, limit):
    """Seconds until the expression held, or None."""
    begin = time.monotonic()
    while True:
        try:
            if chip.ask(expression):
                return time.monotonic() - begin
        except (TypeError, LookupError):
            pass  # not there yet: `rif(mac).mtu > 1500` of no RIF
        if time.monotonic() - begin > limit:
            return None


def explain(chip, expression):
    dump = chip.request('{"request":"dump"}')
    rifs = [r for r in dump.rifs if r.enabled is not False]
    records = [r for r in dump.fdb if r.action == ROUTER]
    sys.exit(f"does not hold: {expression}\nrifs {text(rifs)}\nrouter MACs {text(records)}")


def always(chip, expression, goal, limit, command):
    process = subprocess.Popen(command, stdout=sys.stderr)
    # The limit counts from its end: starting a program may take long where asking without a pause takes the processor.
    begin, samples = None, 0
    started = time.monotonic()
    while True:
        dump = chip.request('{"request":"dump"}')
        samples += 1
        if not ask(expression, dump):
            process.wait()
            explain(chip, f"{expression} (dump {samples})")
        ended = process.poll()
        if ended:
            sys.exit(f"{command}: exit {ended}")
        if ended == 0 and ask(goal, dump):
            print(samples)
            return
        now = time.monotonic()
        if ended == 0 and begin is None:
            begin = now
        if begin is not None and now - begin > limit:
            explain(chip, f"{goal} within {limit * 1000:.0f} ms after the end of the command")
        if ended is None and now - started > 60:
            process.kill()
            sys.exit(f"{command}: takes longer than a minute")


def mac(data):
    return ":".join(f"{byte:02x}" for byte in data)


def word(data, offset):
    return struct.unpack_from(">I", data, offset)[0]


def describe(register, data):
    """One line for each thing that a write does."""
    if register == 0x8002:  # RITR
        head = word(data, 0)
        delete = head >> 20 & 3 == 1 or not head >> 31
        yield (
            f"RITR {'delete' if delete else 'set'} rif {head & 0xFFFF} mac {mac(data[0x12:0x18])}"
            f" mtu {word(data, 0x34) & 0xFFFF} vrrp4 {word(data, 0x1C) & 0xFF} vrrp6 {word(data, 0x1C) >> 8 & 0xFF}"
        )
    elif register == 0x200A:  # SFD
        operation = {0: "test", 1: "add", 2: "remove"}.get(word(data, 4) >> 30, "?")
        for at in range(word(data, 8) & 0xFF):
            record = data[0x10 + 0x10 * at : 0x20 + 0x10 * at]
            action = word(record, 0xC) >> 28
            yield (
                f"SFD {operation} mac {mac(record[2:8])} fid {word(record, 8) & 0xFFFF}"
                f" action {ROUTER if action == 3 else action}"
            )
    elif register == 0x8013:  # RALUE
        operation = {0: "write", 1: "update", 2: "clear", 3: "delete"}.get(word(data, 0) >> 20 & 7, "?")
        ipv6 = word(data, 0) >> 24 & 0xF == 1
        size = 16 if ipv6 else 4
        address = socket.inet_ntop(
            socket.AF_INET6 if ipv6 else socket.AF_INET, data[0x0C : 0x1C] if ipv6 else data[0x18 : 0x18 + size]
        )
        yield f"RALUE {operation} vr {word(data, 4) >> 16} {address}/{word(data, 8) & 0xFF}"
    else:
        names = {0x7003: "HPKT", 0x7002: "HTGT", 0x4004: "QPCR", 0x8001: "RGCR", 0x201F: "SFMR", 0x201C: "SVFA", 0x8034: "REIV"}
        yield f"{names.get(register, hex(register))} {data[:8].hex()}"


def frames(path):
    with open(path, "rb") as file:
        data = file.read()
    offset = 24
    while offset + 16 <= len(data):
        length = struct.unpack_from("<I", data, offset + 8)[0]
        if offset + 16 + length > len(data):
            return  # being written
        yield data[offset + 16 : offset + 16 + length]
        offset += 16 + length


def writes(path):
    """(register, payload) of each request of method write, answers left out, in the order in which the chip took them."""
    for frame in frames(path):
        operation = 16
        is_answer = word(frame, operation + 4) >> 15 & 1
        if is_answer or word(frame, operation + 4) >> 8 & 0x7F != 2:
            continue
        register, offset = word(frame, operation + 4) >> 16, operation + 16
        while offset + 4 <= len(frame):
            kind, length = word(frame, offset) >> 27, (word(frame, offset) >> 16 & 0x7FF) * 4
            if kind == 3:
                yield register, frame[offset + 4 : offset + length]
            if kind in (0, 3) or length == 0:
                break
            offset += length


def main():
    verb, path, *rest = sys.argv[1:]
    if verb == "count":
        return print(sum(1 for _ in writes(path)))
    if verb == "writes":
        for register, payload in list(writes(path))[int(rest[0]) :]:
            for line in describe(register, payload):
                print(line)
        return
    try:
        chip = Chip(path)
    except OSError as error:
        sys.exit(f"{path}: {error}")
    if verb == "eval":
        print(text(chip.ask(rest[0])))
    elif verb == "test":
        if not chip.ask(rest[0]):
            explain(chip, rest[0])
    elif verb == "wait":
        if until(chip, rest[0], int(rest[1]) / 1000) is None:
            explain(chip, rest[0])
    elif verb == "time":
        begin = time.monotonic()
        subprocess.run(rest[2:], check=True, stdout=sys.stderr)
        if until(chip, rest[0], int(rest[1]) / 1000) is None:
            explain(chip, rest[0])
        print(round((time.monotonic() - begin) * 1000))
    elif verb == "always":
        always(chip, rest[0], rest[1], int(rest[2]) / 1000, rest[3:])
    elif verb == "request":
        print(text(chip.request(rest[0])))
    else:
        sys.exit(f"unknown verb {verb}")


if __name__ == "__main__":
    try:
        main()
    except (TypeError, LookupError, AttributeError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}; asked: {sys.argv[1:]}")

"""Watches a netdev while a command runs, and judges frames by what is in them, where frames.py wants them byte for byte.

    watch.py see NETNS:IFNAME EXPR SECONDS COMMAND...    exit 0 once a frame is received for which EXPR holds
    watch.py count NETNS:IFNAME EXPR COMMAND...          prints how many there were when the command has ended

`count` proves absence only if the command ends after what would cause the frame: let it end with an exchange that the same
receiver must have handled later.

In EXPR: src, dst (MACs), kind (arp, ipv4, ipv6, or the EtherType), vid (None: untagged), sip, dip, proto (of ARP: the operation).
"""

import ipaddress
import select
import subprocess
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from frames import packet_socket

KINDS = {0x0806: "arp", 0x0800: "ipv4", 0x86DD: "ipv6"}


def text(data):
    return ":".join(f"{byte:02x}" for byte in data)


def ip(data):
    return str(ipaddress.ip_address(bytes(data)))


def fields(frame):
    found = {"dst": text(frame[:6]), "src": text(frame[6:12]), "vid": None, "sip": None, "dip": None, "proto": None}
    offset = 12
    if frame[12:14] == b"\x81\x00":
        found["vid"] = int.from_bytes(frame[14:16], "big") & 0xFFF
        offset = 16
    ethertype, body = int.from_bytes(frame[offset : offset + 2], "big"), frame[offset + 2 :]
    found["kind"] = KINDS.get(ethertype, ethertype)
    if ethertype == 0x0806 and len(body) >= 28:
        found |= {"proto": int.from_bytes(body[6:8], "big"), "sip": ip(body[14:18]), "dip": ip(body[24:28])}
    elif ethertype == 0x0800 and len(body) >= 20:
        found |= {"proto": body[9], "sip": ip(body[12:16]), "dip": ip(body[16:20])}
    elif ethertype == 0x86DD and len(body) >= 40:
        found |= {"proto": body[6], "sip": ip(body[8:24]), "dip": ip(body[24:40])}
    return found


def matching(sock, expression, limit):
    """Frames for which the expression holds, until the limit."""
    end = time.monotonic() + limit
    while select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
        found = fields(sock.recv(65536))
        if eval(expression, {}, found):
            yield found


def main():
    verb, where, expression, *rest = sys.argv[1:]
    sock = packet_socket(where)
    if verb == "see":
        process = subprocess.Popen(rest[1:], stdout=subprocess.DEVNULL)
        seen = next(matching(sock, expression, float(rest[0])), None)
        process.wait()
        if seen is None:
            sys.exit(f"watch.py: not seen on {where} within {rest[0]} s: {expression}")
        print(seen)
    elif verb == "count":
        subprocess.run(rest, stdout=subprocess.DEVNULL)
        print(sum(1 for _ in matching(sock, expression, 0)))
    else:
        sys.exit(f"watch.py: unknown verb {verb}")


if __name__ == "__main__":
    main()

"""VRRP advertisements as any router might send them, right or wrong, again and again.

    adverts.py AT [KEY=VALUE...]      AT is NETNS:IFNAME; until SIGTERM, or count=N times

Keys: vrid (5), src, prio (100), vips (comma-separated), version (3), interval (seconds, 0.1: said and kept), said (seconds: what it
says, if that is another), checksum (pseudo, message or wrong), mac (the virtual one), proto (112; 51 is RFC 2338's
authentication header), ttl (255).
"""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from frames import VRRP, address, checksum, ethernet, ip, packet_socket, pseudo  # noqa: E402


def advertisement(keys):
    vrid, version = int(keys.get("vrid", 5)), int(keys.get("version", 3))
    src = keys.get("src", "192.0.2.2")
    v6 = ":" in src
    dst = "ff02::12" if v6 else "224.0.0.18"
    vips = keys.get("vips", "fe80::51" if v6 else "192.0.2.254").split(",")
    said = float(keys.get("said", keys.get("interval", 0.1)))
    time_field = int(said) if version == 2 else round(said * 100)
    body = struct.pack(">BBBBHH", version << 4 | 1, vrid, int(keys.get("prio", 100)), len(vips), time_field, 0)
    body += b"".join(address(vip) for vip in vips) + (bytes(8) if version == 2 else b"")
    message_only = version == 2 or keys.get("checksum") == "message"
    sum_ = checksum(body if message_only else pseudo(address(src), address(dst), VRRP, len(body)) + body)
    if keys.get("checksum") == "wrong":
        sum_ ^= 1
    body = body[:6] + struct.pack(">H", sum_) + body[8:]
    ethertype, packet = ip(src, dst, int(keys.get("proto", VRRP)), int(keys.get("ttl", 255)), body)
    source = keys.get("mac", f"00:00:5e:00:0{2 if v6 else 1}:{vrid:02x}")
    return ethernet("33:33:00:00:00:12" if v6 else "01:00:5e:00:00:12", source, ethertype, packet)


def main():
    where, *rest = sys.argv[1:]
    keys = dict(argument.split("=", 1) for argument in rest)
    frame, sock = advertisement(keys), packet_socket(where)
    left, interval = int(keys.get("count", 0)), float(keys.get("interval", 0.1))
    due = time.monotonic()
    while True:
        sock.send(frame)
        left -= 1
        if left == 0:
            break
        due += interval
        time.sleep(max(0, due - time.monotonic()))


if __name__ == "__main__":
    main()

"""Raw frames for the tests: builds, sends and counts them with nothing but the standard library.

    frames.py build KIND [KEY=VALUE...]                    the frame in hexadecimal
    frames.py probe FROM TO... KIND [KEY=VALUE...]         sends one frame into FROM, prints how often each TO received it
    frames.py send FROM COUNT KIND [KEY=VALUE...]          sends it COUNT times
    frames.py listen AT KIND [KEY=VALUE...] limit=S        exit 0 once that frame is received
    frames.py exchange FROM KIND [KEY=VALUE...] limit=S    sends an echo request, exit 0 once its reply comes back to FROM
    frames.py ping ADDRESS [interval=S] [count=N] [size=B] until SIGINT or SIGTERM, then one JSON line of what was lost;
                                                           the line `answered` at the first answer

FROM, TO and AT are NETNS:IFNAME; `send` repeats the very same frame.

`probe` proves absence without waiting: after the frame it sends a marker the same way, and when every TO that a marker can
reach has seen it, the frame has come or never will. The marker is multicast that a router port gives to its CPU in the
lowest traffic class: frames of one class stay in order, and no class overtakes a higher one. A TO that the marker does not
reach is written NETNS:IFNAME~, and is read when the others are through.

Kinds: advert4 advert6 (vrid src mac ttl prio vip), echo4 echo6 (mac dst_mac src dst ttl id seq), udp4 udp6 (+ sport dport size),
arp (mac src dst: a gratuitous request if src = dst), lldp. `mac` is the source MAC.
"""

import ctypes
import ipaddress
import json
import os
import select
import signal
import socket
import struct
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
CLONE_NEWNET = 0x40000000
VRRP, UDP, ICMP, ICMPV6 = 112, 17, 1, 58


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address(text):
    return ipaddress.ip_address(text).packed


def pseudo(src, dst, proto, length):
    if len(src) == 4:
        return src + dst + struct.pack(">BBH", 0, proto, length)
    return src + dst + struct.pack(">IHBB", length, 0, 0, proto)


def ethernet(dst, src, ethertype, payload):
    return (mac(dst) + mac(src) + struct.pack(">H", ethertype) + payload).ljust(60, b"\0")


def ip(src, dst, proto, ttl, payload):
    """(EtherType, packet)"""
    src, dst = address(src), address(dst)
    if len(src) == 16:
        return 0x86DD, struct.pack(">IHBB", 0x60000000, len(payload), proto, ttl) + src + dst + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0xC0, 20 + len(payload), 0, 0x4000, ttl, proto, 0) + src + dst
    return 0x0800, head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def advert(keys, family):
    """A VRRPv3 advertisement as a master sends it: from its virtual MAC (RFC 5798 5.1, 5.2)."""
    vrid = int(keys.get("vrid", 5))
    v6 = family == 6
    src = keys.get("src", "fe80::5" if v6 else "192.0.2.9")
    vip = address(keys.get("vip", "fe80::51" if v6 else "192.0.2.254"))
    dst = "ff02::12" if v6 else "224.0.0.18"
    body = struct.pack(">BBBBHH", 0x31, vrid, int(keys.get("prio", 100)), 1, 100, 0) + vip
    sum_ = checksum(pseudo(address(src), address(dst), VRRP, len(body)) + body)
    body = body[:6] + struct.pack(">H", sum_) + body[8:]
    ethertype, packet = ip(src, dst, VRRP, int(keys.get("ttl", 255)), body)
    source = keys.get("mac", f"00:00:5e:00:0{2 if v6 else 1}:{vrid:02x}")
    return ethernet("33:33:00:00:00:12" if v6 else "01:00:5e:00:00:12", source, ethertype, packet)


def echo(keys, kind=None):
    src, dst = keys["src"], keys["dst"]
    v6 = ":" in dst
    kind = kind if kind is not None else 128 if v6 else 8
    data = keys.get("data", "firsthop").encode().ljust(int(keys.get("size", 8)), b".")
    body = struct.pack(">BBHHH", kind, 0, 0, int(keys.get("id", 7)), int(keys.get("seq", 1))) + data
    proto = ICMPV6 if v6 else ICMP
    sum_ = checksum((pseudo(address(src), address(dst), proto, len(body)) if v6 else b"") + body)
    body = body[:2] + struct.pack(">H", sum_) + body[4:]
    ethertype, packet = ip(src, dst, proto, int(keys.get("ttl", 64)), body)
    return ethernet(keys["dst_mac"], keys["mac"], ethertype, packet)


def udp(keys):
    src, dst = keys["src"], keys["dst"]
    data = b"x" * int(keys.get("size", 18))
    body = struct.pack(">HHHH", int(keys.get("sport", 4000)), int(keys.get("dport", 4001)), 8 + len(data), 0) + data
    sum_ = checksum(pseudo(address(src), address(dst), UDP, len(body)) + body) or 0xFFFF
    body = body[:6] + struct.pack(">H", sum_) + body[8:]
    ethertype, packet = ip(src, dst, UDP, int(keys.get("ttl", 64)), body)
    return ethernet(keys["dst_mac"], keys["mac"], ethertype, packet)


def arp(keys):
    source = mac(keys["mac"])
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + source + address(keys["src"]) + bytes(6) + address(keys["dst"])
    return ethernet(keys.get("dst_mac", "ff:ff:ff:ff:ff:ff"), keys["mac"], 0x0806, body)


def lldp(keys):
    text = keys.get("text", "firsthop").encode()
    return ethernet("01:80:c2:00:00:0e", keys.get("mac", "02:00:00:00:00:0e"), 0x88CC, text)


def multicast(text):
    data = text.encode()
    body = struct.pack(">HHHH", 4000, 4001, 8 + len(data), 0) + data
    ethertype, packet = ip("192.0.2.250", "239.255.0.1", UDP, 1, body)
    return ethernet("01:00:5e:7f:00:01", "02:00:00:00:00:0e", ethertype, packet)


KINDS = {
    "advert4": lambda keys: advert(keys, 4),
    "advert6": lambda keys: advert(keys, 6),
    "echo4": echo,
    "echo6": echo,
    "udp4": udp,
    "udp6": udp,
    "arp": arp,
    "lldp": lldp,
}


def build(arguments):
    kind, keys = arguments[0], dict(argument.split("=", 1) for argument in arguments[1:])
    if kind not in KINDS:
        sys.exit(f"frames.py: unknown kind {kind}")
    return KINDS[kind](keys), keys


libc = ctypes.CDLL(None, use_errno=True)


def packet_socket(where):
    """An AF_PACKET socket at NETNS:IFNAME."""
    netns, ifname = where.rstrip("~").split(":", 1)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    away = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        if libc.setns(away, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {netns}")
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind((ifname, ETH_P_ALL))
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(away)
        os.close(home)
    return sock


def same(got, wanted):
    """A netdev may pad or trim to the minimum length."""
    return got.ljust(60, b"\0") == wanted


def probe(arguments):
    places = [argument for argument in arguments if ":" in argument and "=" not in argument]
    frame, _ = build(arguments[len(places) :])
    tx = packet_socket(places[0])
    receivers = {place: packet_socket(place) for place in places[1:]}
    marker = multicast(f"marker {os.getpid()} {time.monotonic_ns()}")
    seen = dict.fromkeys(receivers, 0)
    waiting = {place for place in receivers if not place.endswith("~")}
    tx.send(frame)
    tx.send(marker)
    limit = time.monotonic() + 5
    names = {sock: place for place, sock in receivers.items()}

    def read(place):
        got = receivers[place].recv(65536)
        if same(got, frame):
            seen[place] += 1
        elif same(got, marker):
            waiting.discard(place)

    while waiting:
        ready, _, _ = select.select(list(names), [], [], max(0, limit - time.monotonic()))
        if not ready:
            sys.exit(f"frames.py: the marker did not reach {', '.join(sorted(waiting))}; seen {seen}")
        for sock in ready:
            read(names[sock])
    for place, sock in receivers.items():
        while select.select([sock], [], [], 0)[0]:
            read(place)
    print(" ".join(str(seen[place]) for place in places[1:]))


def wait_for(sock, wanted, limit):
    end = time.monotonic() + limit
    while select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
        if wanted(sock.recv(65536)):
            return
    sys.exit(f"frames.py: not received within {limit} s")


def exchange(arguments):
    frame, keys = build(arguments[1:])
    reversed_keys = keys | {"src": keys["dst"], "dst": keys["src"]}
    sock = packet_socket(arguments[0])
    sock.send(frame)

    def is_reply(got):
        # Whatever its source MAC, TTL and id: ours, by addresses, type, id and sequence number.
        offset = 54 if ":" in keys["dst"] else 34
        reply = echo(reversed_keys, 129 if ":" in keys["dst"] else 0)
        addresses = slice(22, 54) if ":" in keys["dst"] else slice(26, 34)
        return (
            got[:6] == mac(keys["mac"])
            and got[addresses] == reply[addresses]
            and got[offset : offset + 1] == reply[offset : offset + 1]
            and got[offset + 4 : offset + 8] == reply[offset + 4 : offset + 8]
        )

    wait_for(sock, is_reply, float(keys.get("limit", 1)))


def ping(arguments):
    target, keys = arguments[0], dict(argument.split("=", 1) for argument in arguments[1:])
    interval, count = float(keys.get("interval", 0.01)), int(keys.get("count", 0))
    v6 = ":" in target
    sock = socket.socket(
        socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, ICMPV6 if v6 else ICMP
    )
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(1))
    ident, answered, sent, begin = os.getpid() & 0xFFFF, set(), 0, time.monotonic()
    unsent, worst, last = 0, 0.0, begin
    drain_until = None
    while True:
        now = time.monotonic()
        if drain_until is None and (stop or (count and sent >= count)):
            drain_until = now + 1  # answers that are under way
            worst = max(worst, now - last)
        if drain_until is not None and (now > drain_until or len(answered) == sent):
            break
        if drain_until is None and now >= begin + sent * interval:
            head = struct.pack(">BBHHH", 128 if v6 else 8, 0, 0, ident, sent & 0xFFFF)
            body = b"firsthop".ljust(int(keys.get("size", 48)), b".")
            if not v6:  # the kernel computes ICMPv6's
                head = head[:2] + struct.pack(">H", checksum(head + body)) + head[4:]
            try:
                sock.sendto(head + body, (target, 0))
            except OSError:
                unsent += 1
            sent += 1
            continue
        wake = drain_until if drain_until is not None else begin + sent * interval
        try:
            if not select.select([sock], [], [], max(0, wake - now))[0]:
                continue
        except InterruptedError:
            continue
        got = sock.recv(65536)
        if not v6:
            got = got[(got[0] & 0xF) * 4 :]
        kind, _, _, id_, sequence = struct.unpack_from(">BBHHH", got)
        if kind == (129 if v6 else 0) and id_ == ident:
            # The sequence number has 16 bits: the newest with these bits.
            full = sent - 1 - ((sent - 1 - sequence) & 0xFFFF)
            if full >= 0 and full not in answered:
                answered.add(full)
                worst, last = max(worst, time.monotonic() - last), time.monotonic()
                if len(answered) == 1:
                    print("answered", flush=True)
    result = {
        "sent": sent,
        "received": len(answered),
        "lost": sent - len(answered),
        "not_sent": unsent,
        "interval_ms": interval * 1000,
        "longest_silence_ms": round(worst * 1000, 1),
    }
    print(json.dumps(result), flush=True)


def main():
    verb, *arguments = sys.argv[1:]
    if verb == "build":
        print(build(arguments)[0].hex())
    elif verb == "probe":
        probe(arguments)
    elif verb == "send":
        frame, sock = build(arguments[2:])[0], packet_socket(arguments[0])
        for _ in range(int(arguments[1])):
            sock.send(frame)
    elif verb == "listen":
        frame, keys = build(arguments[1:])
        wait_for(packet_socket(arguments[0]), lambda got: same(got, frame), float(keys.get("limit", 1)))
    elif verb == "exchange":
        exchange(arguments)
    elif verb == "ping":
        ping(arguments)
    else:
        sys.exit(f"frames.py: unknown verb {verb}")


if __name__ == "__main__":
    main()

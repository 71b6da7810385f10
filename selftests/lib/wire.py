"""One process for a whole script that asks the chip and sends frames: where a system call is dear, so is starting Python.

    wire.py ASK ANSWER         serves requests from the pipe ASK, answers into the pipe ANSWER

A request is fields, each ended by \\x1f, and then \\0; the answer is `STATUS TEXT\\0`. Requests:

    chip SOCKET EXPR           prints EXPR of the chip's dump d and counters c (chip.py says which names there are)
    test SOCKET EXPR           status 0 if it holds
    wait SOCKET EXPR MS        ... within MS milliseconds
    doc EXPR JSON              status 0 if EXPR holds of the document d
    value EXPR JSON            prints EXPR of the document d
    send FROM KIND [KEY=VALUE...] [to=PLACE,...] [reply=MS] [socket=PATH]
    flows FROM COUNT KIND [KEY=VALUE...] to=PLACE,... [socket=PATH]

`send` puts one frame (frames.py says of which kinds) with a token into it that survives routing, and says where the token came
out: `h2=1@10 h3=0 reply@10 local_route+1`, for each PLACE how often and with which VLAN tag, then the echo reply that came back to
FROM, or the ICMP error (`icmp3.1`: type and code), then the traps that counted it. FROM is NETNS:IFNAME or NETNS:IFNAME@VID for a tag
on the wire; PLACE is NETNS:IFNAME.

As in frames.py a marker follows the frame in the same VLAN, and when each PLACE has seen it, the frame has come or never will;
NETNS:IFNAME~ is a place that the marker does not reach. With reply=MS the reply is awaited too, at most so long.

`flows` sends COUNT UDP frames with as many source ports, and says how many came out where, and the traps that counted them:
`h2=60 h3=180`. It waits until COUNT have come, at most two seconds.
"""

import os
import select
import socket
import struct
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import chip
import frames
from query import document, evaluate, text

SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 0x10
# What kernels say on their own, at any time, and the marker.
NOISE = ("multicast", "arp_", "ipv6_neigh", "ipv6_router", "ipv6_dip", "mld_", "igmp_", "lacp", "stp", "unresolved_neigh")
chips = {}


def chip_at(path):
    if path not in chips:
        chips[path] = chip.Chip(path)
    return chips[path]


def asked(path, expression):
    """The simulator may have been started anew: then the connection is one of the former."""
    try:
        return chip_at(path).ask(expression)
    except (OSError, ConnectionError):
        chips.pop(path, None)
        return chip_at(path).ask(expression)


def counted(path):
    """Packets by trap; of those that are dropped without the CPU, the ones that a route or next hop says."""
    counters = chip_at(path).request('{"request":"counters"}')
    dropped = {name: packets for name, packets in counters.discards.items() if name.startswith("blackhole_")}
    return {name: trap.packets + trap.policed for name, trap in counters.traps.items()} | dropped


def tagged(frame, vid):
    return frame if vid is None else frame[:12] + struct.pack(">HH", 0x8100, vid) + frame[12:]


def receive(sock):
    """(frame without its tag, VID or None): the kernel takes the tag out of the frame and says so beside it."""
    frame, ancillary, _, _ = sock.recvmsg(65536, 256)
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                return frame, tci & 0xFFF
    if frame[12:14] == b"\x81\x00":
        return frame[:12] + frame[16:], struct.unpack(">H", frame[14:16])[0] & 0xFFF
    return frame, None


def listener(place):
    sock = frames.packet_socket(place)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    return sock


def is_reply(frame):
    v4, v6 = frame[12:14] == b"\x08\x00", frame[12:14] == b"\x86\xdd"
    return (v4 and frame[23] == 1 and frame[34] == 0) or (v6 and frame[20] == 58 and frame[54] == 129)


def icmp_error(frame):
    """`icmpTYPE.CODE` of a frame that is one."""
    if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] in (3, 11):
        return f"icmp{frame[34]}.{frame[35]}"
    if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] < 128:
        return f"icmp{frame[54]}.{frame[55]}"
    return None


def trapped(path, before, noise=NOISE):
    """What traps counted since then."""
    after = counted(path) if path else {}
    return [
        f"{name}+{after[name] - before.get(name, 0)}"
        for name in sorted(after)
        if after[name] != before.get(name, 0) and not name.startswith(noise)
    ]


def flows(arguments):
    source, count, kind, *rest = arguments
    keys = dict(argument.split("=", 1) for argument in rest)
    places, path, count = keys.pop("to").split(","), keys.pop("socket", None), int(count)
    receivers = {listener(place): place for place in places}
    tx, seen = listener(source), dict.fromkeys(places, 0)
    # the destination port tells them from all others
    ports, at = int(keys.setdefault("dport", "4001")).to_bytes(2, "big"), 56 if kind == "udp6" else 36
    before = counted(path) if path else {}
    for number in range(count):
        tx.send(frames.build([kind, *[f"{key}={value}" for key, value in keys.items()], f"sport={20000 + number}"])[0])
    limit = time.monotonic() + 2
    while sum(seen.values()) < count:
        ready, _, _ = select.select(list(receivers), [], [], max(0, limit - time.monotonic()))
        if not ready:
            break
        for sock in ready:
            got = sock.recv(65536)
            if got[at : at + 2] == ports and got[12:14] == (b"\x86\xdd" if kind == "udp6" else b"\x08\x00"):
                seen[receivers[sock]] += 1
    noise = tuple(name for name in NOISE if name != "unresolved_neigh")
    words = [f"{place.split(':')[1]}={seen[place]}" for place in places] + trapped(path, before, noise)
    for sock in [tx, *receivers]:
        sock.close()
    return 0, " ".join(words)


def send(arguments):
    source, kind, *rest = arguments
    keys = dict(argument.split("=", 1) for argument in rest)
    source, _, vid = source.partition("@")
    vid = int(vid) if vid else None
    places = [place for place in keys.pop("to", "").split(",") if place]
    reply, path = float(keys.pop("reply", 0)) / 1000, keys.pop("socket", None)
    token = os.urandom(4).hex()
    frame, _ = frames.build([kind, *[f"{key}={value}" for key, value in (keys | {"data": token}).items()]])
    if token.encode() not in frame:  # no data in such a packet: behind it
        spare = b"\0" * len(token)
        frame = frame[: -len(token)] if frame.endswith(spare) else frame
        frame += token.encode()
    token = token.encode()
    marker = frames.multicast(f"marker {token.decode()}x")
    tx = listener(source)
    receivers = {place: listener(place) for place in places}
    before = counted(path) if path else {}
    seen = {place: {} for place in places}
    awaited = {place for place in places if not place.endswith("~")}
    answer = None
    tx.send(tagged(frame, vid))
    tx.send(tagged(marker, vid))
    begin = time.monotonic()
    names = {sock: place for place, sock in receivers.items()}

    def read(place):
        got, tag = receive(receivers[place])
        if frames.same(got, marker):
            awaited.discard(place)
        elif token in got and not b"marker" in got:
            what = (is_reply(got), tag)
            seen[place][what] = seen[place].get(what, 0) + 1

    while awaited or (reply and answer is None):
        limit = begin + (5 if awaited else reply)
        ready, _, _ = select.select([*names, tx], [], [], max(0, limit - time.monotonic()))
        if not ready:
            if awaited:
                raise TimeoutError(f"the marker did not reach {', '.join(sorted(awaited))}; seen {seen}")
            break
        for sock in ready:
            if sock is tx:
                got, tag = receive(tx)
                if token in got and (found := "reply" if is_reply(got) else icmp_error(got)):
                    answer = found if tag is None else f"{found}@{tag}"
            else:
                read(names[sock])
    for place, sock in receivers.items():
        while select.select([sock], [], [], 0)[0]:
            read(place)
    words = []
    for place in places:
        found = [
            ("reply" if back else str(count)) + (f"@{tag}" if tag is not None else "")
            for (back, tag), count in sorted(seen[place].items(), key=str)
        ]
        words.append(f"{place.rstrip('~').split(':')[1]}={'+'.join(found) or 0}")
    if reply:
        words.append(answer or "no-reply")
    words += trapped(path, before, tuple(name for name in NOISE if not (kind == "arp" and name == "arp_")))
    for sock in [tx, *receivers.values()]:
        sock.close()
    return 0, " ".join(words)


def shown(path, expression):
    dump = chip_at(path).request('{"request":"dump"}')
    rifs = [rif for rif in dump.rifs if rif.enabled is not False]
    return f"does not hold: {expression}\nrifs {text(rifs)}\nfdb {text(dump.fdb)}\nfids {text(dump.mappings)}\nlags {text(dump.lags)}"


def serve(verb, arguments):
    if verb == "send":
        return send(arguments)
    if verb == "flows":
        return flows(arguments)
    if verb in ("doc", "value"):
        expression, data = arguments
        value = evaluate(expression, d=document(data))
        if verb == "value":
            return 0, text(value)
        return (0, "") if value else (1, f"does not hold: {expression}\nof: {data[:1500]}")
    path, expression, *rest = arguments
    if verb == "chip":
        return 0, text(asked(path, expression))
    limit = time.monotonic() + (int(rest[0]) / 1000 if rest else 0)
    while True:
        try:
            if asked(path, expression):
                return 0, ""
        except (TypeError, LookupError):
            pass  # not there yet
        if time.monotonic() >= limit:
            return 1, shown(path, expression)
        time.sleep(0.005)


def main():
    with open(sys.argv[1], "rb", buffering=0) as questions, open(sys.argv[2], "wb", buffering=0) as answers:
        pending = b""
        while data := questions.read(65536):
            pending += data
            while b"\0" in pending:
                request, pending = pending.split(b"\0", 1)
                verb, *arguments = request.decode().split("\x1f")[:-1]
                try:
                    status, words = serve(verb, arguments)
                except (Exception, SystemExit) as error:  # whatever it was: the next request may be all right
                    status, words = 2, f"{type(error).__name__}: {error}; asked: {verb} {arguments}"
                answers.write(f"{status} {words}\0".encode())


if __name__ == "__main__":
    main()

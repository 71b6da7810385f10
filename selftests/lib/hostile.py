"""Clients as nobody wants them, at the daemon's socket and at the simulator's.

    hostile.py crowd SOCKET COUNT UID          connects so often at once; prints how many got in, and what the others were told
    hostile.py limits SOCKET UID               requests and messages beyond the limits; prints what was answered
    hostile.py monitors SOCKET UID             two watchers that talk on while they watch; prints how much was taken from them
    hostile.py attack SOCKET CHIP [NAME...]    all of them at once (or these), until SIGTERM; the line `attacking` first, figures at the end
    hostile.py delays PCAP NETNS COUNT DEV MAC ADDRESS
                                               from the start of `ip addr add`, and from when another listener heard of it (`event`), to
                                               the chip's record, so often; JSON in milliseconds

UID is who they are. The attack has three users of its own at the daemon (65501 to 65503), and root at the simulator.
"""

import collections
import ctypes
import itertools
import json
import os
import random
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from chip import describe

AGENT = "org.firsthop.Agent."
SEED = 61


def call(method, **parameters):
    return json.dumps({"method": AGENT + method, "parameters": parameters}).encode() + b"\0"


def connect(path, kind=socket.SOCK_STREAM):
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.settimeout(10)
    sock.connect(path)
    return sock


def messages(sock, count=None):
    """Messages until there are so many, or the end."""
    rest = b""
    while count is None or count > 0:
        try:
            data = sock.recv(1 << 16)
        except (ConnectionError, TimeoutError):
            return
        if not data:
            return
        *whole, rest = (rest + data).split(b"\0")
        for message in whole:
            yield json.loads(message)
            count = count if count is None else count - 1


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def word(told):
    """An answer in a few words."""
    if "error" not in told:
        return "answered"
    parameters = told.get("parameters", {})
    return " ".join([told["error"].rsplit(".", 1)[-1], *map(str, parameters.values())])


def crowd(path, count):
    """(connections that stay, what the others were told)"""
    inside, told = [], collections.Counter()
    for _ in range(count):
        sock = connect(path)
        if select.select([sock], [], [], 0)[0]:
            told.update(word(message) for message in messages(sock, 1))
        else:
            inside.append(sock)
    # The answer to some was on its way.
    stay = []
    for sock in inside:
        try:
            sock.sendall(call("Status"))
            answer = next(messages(sock, 1), None)
        except ConnectionError:
            answer = next(messages(sock, 1), None)
        if answer and "TooMany" in answer.get("error", "") and "connections" in answer["parameters"]["what"]:
            told.update([word(answer)])
        elif answer:
            stay.append(sock)
        else:
            told.update(["closed"])
    return stay, told


def limits(path):
    told = collections.Counter()
    socks = [connect(path) for _ in range(24)]
    for _ in range(20):
        for sock in socks:
            sock.sendall(call("Diff") + call("Doctor"))
        for sock in socks:
            told.update(word(message) for message in messages(sock, 2))
    for sock in socks:
        sock.close()
    sock = connect(path)
    try:
        sock.sendall(b'{"method":"' + b"x" * (2 << 20))
    except ConnectionError:
        pass
    told.update(word(message) for message in messages(sock))
    return told


def monitors(path):
    """Bytes that each takes at most."""
    taken = []
    for method in ("Monitor", "MonitorTrap"):
        sock = connect(path)
        sock.sendall(call(method)[:-2] + b',"more":true}\0')
        sock.settimeout(1)
        count = 0
        try:
            while count < 64 << 20:
                count += sock.send(b"x" * 65536)
        except TimeoutError:
            pass
        taken.append(count)
    return taken


# --------------------------------------------------------------------------------------------------------------- attack


def forever(act):
    """Again and again, whatever comes back, until it is told to end; prints how often."""
    for turn in itertools.count(1):
        try:
            act(turn)
        except (OSError, ConnectionError):
            time.sleep(0.001)
        if ended:
            return turn


ended = []


def flood(path):
    """Eight connections ask as fast as they are answered, several calls at a time."""
    asked = b"".join([call("Status"), call("ListVmac"), call("Diff"), call("Explain", dev="swp1")] * 4)
    socks = {}

    def act(_):
        while len(socks) < 8:
            sock = connect(path)
            sock.setblocking(False)
            socks[sock] = asked
        readable, writable, _ = select.select(socks, [s for s, left in socks.items() if left], [], 0.1)
        for sock in writable:
            try:
                socks[sock] = socks[sock][sock.send(socks[sock]) :] or asked
            except OSError:
                socks.pop(sock, None)
        for sock in readable:
            if sock in socks and not sock.recv(1 << 18):
                socks.pop(sock)

    return forever(act)


def come_and_go(path):
    """A thousand connections at a time, of which most are turned away."""

    def act(_):
        socks = []
        for _ in range(1000):
            try:
                socks.append(connect(path))
            except OSError:
                break
        for sock in socks:
            sock.close()

    return forever(act)


def bad_manners(path):
    """Halves of messages, messages that are too long, noise, and eight that ask and never read."""
    noise = random.Random(SEED)
    kept = []

    def act(turn):
        if len(kept) < 8:
            sock = connect(path)
            kept.append(sock)
            sock.setblocking(False)
        for sock in kept:
            try:
                sock.send(call("Diff") * 50)
            except BlockingIOError:
                pass
            except OSError:
                kept.remove(sock)
        sock = connect(path)
        piece = (b'{"method":', b"x" * (1 << 21), noise.randbytes(5000) + b"\0", b"\0" * 100)[turn % 4]
        try:
            sock.sendall(piece)
        finally:
            sock.close()

    return forever(act)


def at_the_chip(path):
    """A thousand connections, of which some ask and never read, and datagrams of noise."""
    noise = random.Random(SEED)
    deaf = []

    def act(turn):
        while len(deaf) < 4:
            sock = connect(path, socket.SOCK_SEQPACKET)
            sock.setblocking(False)
            deaf.append(sock)
        for sock in deaf:
            try:
                sock.send(b'{"request":"dump"}')
            except BlockingIOError:
                pass
            except OSError:
                deaf.remove(sock)
        if turn % 50 == 0:
            many = []
            try:
                for _ in range(1000):
                    many.append(connect(path, socket.SOCK_SEQPACKET))
            except OSError:
                pass
            for sock in many:
                sock.close()
        sock = connect(path, socket.SOCK_SEQPACKET)
        for length in (1, 13, 60, 1500, 60000):
            sock.send(noise.randbytes(length))
        sock.send(b"{" + noise.randbytes(2000))
        sock.close()

    return forever(act)


def attack(path, chip, names):
    children = []
    for uid, what, where in ((65501, flood, path), (65502, come_and_go, path), (65503, bad_manners, path), (0, at_the_chip, chip)):
        if names and what.__name__ not in names:
            continue
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
            if uid:
                become(uid)
            print(f"{what.__name__}: {what(where)} rounds", flush=True)
            os._exit(0)
        children.append(pid)
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(pid, signal.SIGTERM) for pid in children])
    print("attacking", flush=True)
    for pid in children:
        os.waitpid(pid, 0)


# --------------------------------------------------------------------------------------------------------------- delays


class Tail:
    """Records of an --emad-pcap file as they come: (nanoseconds since 1970, frame)."""

    def __init__(self, path):
        self.file = open(path, "rb")  # noqa: SIM115: until the end
        self.file.seek(0, os.SEEK_END)
        self.data, self.at = b"", 0

    def records(self):
        self.data, self.at = self.data[self.at :] + self.file.read(), 0
        while len(self.data) - self.at >= 16:
            seconds, nanoseconds, length = struct.unpack_from("<III", self.data, self.at)
            end = self.at + 16 + length
            if len(self.data) < end:
                return
            self.at = end
            yield seconds * 10**9 + nanoseconds, self.data[end - length : end]


def said(frame):
    """What a request to write says, as chip.py has it."""
    head = struct.unpack_from(">I", frame, 20)[0]
    if head >> 15 & 1 or head >> 8 & 0x7F != 2:
        return []
    return describe(head >> 16, frame[36:]) if head >> 16 == 0x200A else []


def written(tail, line, limit):
    """When the chip was told so."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        for at, frame in tail.records():
            if any(text.startswith(line) for text in said(frame)):
                return at
        time.sleep(0.0005)
    sys.exit(f"not written within {limit} s: {line}")


def listen(netns, heard):
    """Notes when addresses came, in nanoseconds; to be run in a thread of its own."""
    with open(f"/run/netns/{netns}", "rb") as namespace:
        ctypes.CDLL(None).setns(namespace.fileno(), 0x40000000)  # CLONE_NEWNET
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    sock.bind((0, 1 << 4))  # RTMGRP_IPV4_IFADDR
    while True:
        if struct.unpack_from("=IH", sock.recv(1 << 16))[1] == 20:  # RTM_NEWADDR
            heard.append(time.time_ns())


def delays(pcap, netns, count, dev, mac, address):
    tail = Tail(pcap)
    ip = subprocess.Popen(["ip", "-n", netns, "-batch", "-"], stdin=subprocess.PIPE)
    heard = []
    threading.Thread(target=listen, args=(netns, heard), daemon=True).start()
    asked, said, pace = [], [], random.Random(SEED)
    time.sleep(0.2)
    for _ in range(count):
        heard.clear()
        begun = time.time_ns()
        ip.stdin.write(f"addr add {address} dev {dev}\n".encode())
        ip.stdin.flush()
        done = written(tail, f"SFD add mac {mac}", 20)
        asked.append((done - begun) / 1e6)
        ip.stdin.write(f"addr del {address} dev {dev}\n".encode())
        ip.stdin.flush()
        written(tail, f"SFD remove mac {mac}", 20)
        while not heard:  # it may not have had a turn yet
            time.sleep(0.0005)
        said.append((done - heard[0]) / 1e6)
        # Not in step with anything.
        time.sleep(pace.random() / 50)
    ip.stdin.close()
    ip.wait()
    print(json.dumps({"count": count, **figures(asked), "event": figures(said)}))


def figures(delays):
    delays.sort()
    centile = lambda share: round(delays[min(int(len(delays) * share), len(delays) - 1)], 2)
    return {"median": centile(0.5), "p99": centile(0.99), "max": round(delays[-1], 2)}


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    verb, path, *rest = sys.argv[1:]
    if verb == "delays":
        return delays(path, rest[0], int(rest[1]), *rest[2:])
    if verb == "attack":
        return attack(path, rest[0], rest[1:])
    become(int(rest[-1]))
    if verb == "crowd":
        inside, told = crowd(path, int(rest[0]))
        print(json.dumps({"inside": len(inside), "told": told}), flush=True)
        signal.pause()
    elif verb == "limits":
        print(json.dumps(limits(path)))
    elif verb == "monitors":
        print(json.dumps(monitors(path)))
    else:
        sys.exit(f"unknown verb {verb}")


main()

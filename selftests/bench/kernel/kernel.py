"""A kernel that was recorded is played again, to unmodified programs (see shim.c).

    kernel.py record SOCKET DIR      between programs and the kernel: each request and its answer, and what the kernel says unasked
    kernel.py play SOCKET DIR        answers each request as the kernel did then

Both take commands on standard input, one a line, and answer each with a line when it is done:

    record:  events NAME             what the kernel says from here on goes to the file NAME; the kernel's events so far are in
             dumps NAME              answers go to the directory NAME from here on
             quiet                   answered when nothing was asked for two seconds
    play:    events NAME [TIMES]     says what is in the file NAME to everybody who joined its groups; answers how many messages
             dumps NAME              answers come from the directory NAME from here on
             truncated               says something that is larger than any buffer, as a sign that something was missed
             listening N             answered when so many sockets have joined groups
             drained                 answered when everybody has read everything
             asked                   the time (CLOCK_MONOTONIC, ns) of the first request since this was asked last, or 0

A file is a sequence of datagrams, each with its length before it (4 octets, host order). An answer's name is the request: its type and
payload, in hexadecimal (or their hash, where that is too long). Sequence numbers and ports are those of the request that is played to.
"""

import fcntl
import hashlib
import os
import select
import socket
import struct
import sys
import termios
import threading
import time

HEADER = struct.Struct("=IHHII")
LENGTH = struct.Struct("=I")
GROUP = struct.Struct("=I")
ERROR, DONE = 2, 3
MULTI, ACK, DUMP = 2, 4, 0x300
GET = 2  # the kind of a request that asks, modulo 4
PORT = 4242
SOL_NETLINK, ADD_MEMBERSHIP, GET_STRICT_CHK = 270, 1, 12
# RTNLGRP_*: links, neighbours, addresses and routes of both families, next hops, VLANs of bridges
GROUPS = {"link": 1, "neigh": 3, "addr4": 5, "route4": 7, "addr6": 9, "route6": 11, "nexthop": 32, "vlan": 33}
BIG = 1 << 20
STRICT = GROUP.pack(0)  # in the place of a group: the program asks for NETLINK_GET_STRICT_CHK


def messages(datagram):
    """Offset, length, type, flags and sequence number of each message."""
    at = 0
    while at + HEADER.size <= len(datagram):
        length, kind, flags, sequence, _ = HEADER.unpack_from(datagram, at)
        if length < HEADER.size:
            return
        yield at, length, kind, flags, sequence
        at += (length + 3) & ~3


def key(datagram, at, length):
    """The name of a request's answer."""
    kind = struct.unpack_from("=H", datagram, at + 4)[0]
    payload = datagram[at + HEADER.size : at + length].hex()
    if len(payload) > 160:
        payload = hashlib.sha256(payload.encode()).hexdigest()
    return f"{kind}-{payload}"


def group(datagram):
    """The multicast group that a message of the kernel's is for."""
    kind, family = struct.unpack_from("=H", datagram, 4)[0], datagram[16]
    subject = {16: "link", 17: "link", 20: "addr", 21: "addr", 24: "route", 25: "route", 28: "neigh", 29: "neigh"}.get(kind)
    subject = subject or {104: "nexthop", 105: "nexthop", 112: "vlan", 113: "vlan"}.get(kind)
    if subject in ("addr", "route"):
        subject += "4" if family == socket.AF_INET else "6"
    return GROUPS.get(subject)


def read(path):
    """The datagrams of a file."""
    with open(path, "rb") as file:
        text = file.read()
    at, found = 0, []
    while at < len(text):
        (length,) = LENGTH.unpack_from(text, at)
        found.append(text[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def unread(client):
    """Octets that the other end has not read."""
    return LENGTH.unpack(fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)))[0]


def netlink(groups=()):
    """A socket to the real kernel."""
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    kernel.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
    kernel.bind((0, 0))
    for number in groups:
        kernel.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, number)
    return kernel


class Recorder:
    """Stands between programs and the kernel."""

    def __init__(self, directory):
        self.directory, self.dumps = directory, directory
        self.events, self.asked = None, 0
        self.heard = netlink(GROUPS.values())
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            datagram = self.heard.recv(BIG)
            if self.events:
                self.events.write(LENGTH.pack(len(datagram)) + datagram)

    def serve(self, client):
        kernel = netlink()
        while datagram := client.recv(BIG):
            self.asked = time.monotonic()
            if len(datagram) == GROUP.size:
                if datagram == STRICT:
                    kernel.setsockopt(SOL_NETLINK, GET_STRICT_CHK, 1)
                continue
            for at, length, kind, flags, _ in messages(datagram):
                kernel.send(datagram[at : at + length])
                answer, more = [], kind % 4 == GET or flags & ACK
                while more:
                    part = bytearray(kernel.recv(BIG))
                    answer.append(bytes(part))
                    for where, _, said, marks, _ in messages(part):
                        more = said not in (ERROR, DONE) and marks & MULTI
                        struct.pack_into("=I", part, where + 12, PORT)
                    client.send(part)
                with open(os.path.join(self.dumps, key(datagram, at, length)), "wb") as file:
                    file.writelines(LENGTH.pack(len(part)) + part for part in answer)

    def events_command(self, name):
        while select.select([self.heard], [], [], 0.3)[0]:
            time.sleep(0.01)
        if self.events:
            self.events.close()
        self.events = open(os.path.join(self.directory, name), "wb") if name != "-" else None
        return "ok"

    def quiet_command(self):
        while time.monotonic() < self.asked + 2:
            time.sleep(0.1)
        return "ok"

    def dumps_command(self, name):
        self.dumps = os.path.join(self.directory, name)
        os.makedirs(self.dumps, exist_ok=True)
        return "ok"


class Player:
    """Answers as the kernel did."""

    def __init__(self, directory):
        self.directory, self.answers, self.streams = directory, {}, {}
        self.listeners, self.first = {}, 0

    def dumps_command(self, name):
        directory = os.path.join(self.directory, name)
        self.answers = {}
        for name in os.listdir(directory):
            parts = read(os.path.join(directory, name))
            self.answers[name] = [(part, [at for at, *_ in messages(part)]) for part in parts]
        return "ok"

    def serve(self, client):
        client.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)  # SO_SNDBUFFORCE
        while datagram := client.recv(BIG):
            if len(datagram) == GROUP.size:
                self.listeners.setdefault(client, set()).add(GROUP.unpack(datagram)[0])
                continue
            self.first = self.first or time.monotonic_ns()
            for at, length, kind, flags, sequence in messages(datagram):
                self.answer(client, datagram, at, length, flags, sequence)
        self.listeners.pop(client, None)

    def answer(self, client, datagram, at, length, flags, sequence):
        parts = self.answers.get(key(datagram, at, length))
        if parts is None:
            if flags & DUMP == DUMP:
                print("not recorded:", key(datagram, at, length), file=sys.stderr, flush=True)
                client.send(HEADER.pack(20, DONE, MULTI, sequence, PORT) + bytes(4))
            elif flags & ACK:
                client.send(HEADER.pack(36, ERROR, 0, sequence, PORT) + bytes(4) + datagram[at : at + 16])
            return
        for part, offsets in parts:
            part = bytearray(part)
            for where in offsets:
                struct.pack_into("=II", part, where + 8, sequence, PORT)
            client.send(part)

    def events_command(self, name, times="1"):
        if name not in self.streams:
            self.streams[name] = [(group(part), part) for part in read(os.path.join(self.directory, name))]
        sent = 0
        for _ in range(int(times)):
            listeners = list(self.listeners.items())
            for number, datagram in self.streams[name]:
                for client, groups in listeners:
                    if number in groups:
                        client.send(datagram)
                        sent += 1
        return str(sent)

    def truncated_command(self):
        for client, groups in list(self.listeners.items()):
            if 1 in groups:
                client.send(bytes(100_000))
        return "ok"

    def listening_command(self, count):
        while len(self.listeners) < int(count):
            time.sleep(0.0005)
        return "ok"

    def drained_command(self):
        while any(unread(client) for client in list(self.listeners)):
            time.sleep(0.0005)
        return "ok"

    def asked_command(self):
        first, self.first = self.first, 0
        return str(first)


def main():
    mode, path, directory = sys.argv[1:]
    role = {"record": Recorder, "play": Player}[mode](directory)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen(64)

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=role.serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        print(getattr(role, command + "_command")(*arguments), flush=True)


if __name__ == "__main__":
    main()

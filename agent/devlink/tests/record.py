"""Records what a kernel with netdevsim says of a devlink device, and what the devlink program says at the same moment.

    selftests/uml/run --kernel 6.12 -- python3 agent/devlink/tests/record.py > agent/devlink/tests/recorded-6.12.txt

Lines: `NAME message HEX`, a netlink message with its header; `NAME devlink JSON`, the same as `devlink -jsv` has it.
netdevsim's counters of dropped packets grow by one with each object that is read, so devlink's are larger by one read.
"""

import os
import pathlib
import socket
import struct
import subprocess
import time

ACK, DUMP = 0x5, 0x301
NAME = "netdevsim/netdevsim10"
BUS = pathlib.Path("/sys/bus/netdevsim")
SOL_NETLINK, ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 270, 1, 10, 11


def attribute(kind, value):
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(kind, value):
    return attribute(kind, value.encode() + b"\0")


HANDLE = text(1, NAME.split("/")[0]) + text(2, NAME.split("/")[1])


def opened():
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    netlink.bind((0, 0))
    netlink.setsockopt(SOL_NETLINK, EXT_ACK, 1)
    netlink.setsockopt(SOL_NETLINK, CAP_ACK, 1)
    return netlink


def messages(datagram):
    while datagram:
        length, kind = struct.unpack("IH", datagram[:6])
        yield kind, datagram[:length]
        datagram = datagram[(length + 3) & ~3 :]


def asked(netlink, family, command, attributes, flags, last=(2, 3)):
    """All messages of the answer, the last one too."""
    payload = struct.pack("BBH", command, 1, 0) + attributes
    netlink.send(struct.pack("IHHII", 16 + len(payload), family, flags, 1, 0) + payload)
    answer = []
    while not answer or answer[-1][0] not in last:
        answer += messages(netlink.recv(1 << 16))
    return answer


def walk(attributes):
    while len(attributes) >= 4:
        length, kind = struct.unpack("HH", attributes[:4])
        yield kind & 0x3FFF, attributes[4:length]
        attributes = attributes[(length + 3) & ~3 :]


def family(netlink):
    found = dict(walk(asked(netlink, 16, 3, text(2, "devlink"), ACK)[0][1][20:]))
    groups = [dict(walk(group)) for _, group in walk(found[7])]
    group = next(group[2] for group in groups if group[1] == b"config\0")
    return struct.unpack("H", found[1])[0], struct.unpack("I", group)[0]


def show(name, answer, devlink=None):
    for _, message in answer:
        print(name, "message", message.hex())
    if devlink:
        print(name, "devlink", subprocess.check_output(["devlink", "-jsv", *devlink], text=True).strip())


def run(*command):
    subprocess.run(command, check=True)


def main():
    (BUS / "new_device").write_text("10 2")
    netlink = opened()
    number, group = family(netlink)
    version = subprocess.check_output(["devlink", "-V"], text=True).split()[-1]
    print(f"# Linux {os.uname().release}, {version}; made by record.py, which says what the lines are.")
    run("devlink", "dev", "reload", NAME)
    (BUS / "devices/netdevsim10/sriov_numvfs").write_text("1")
    run("devlink", "dev", "eswitch", "set", NAME, "mode", "switchdev")
    run("devlink", "trap", "set", NAME, "trap", "blackhole_route", "action", "trap")
    run("devlink", "resource", "set", NAME, "path", "IPv4/fib", "size", "100")
    netdev = dict(walk(asked(netlink, number, 5, HANDLE + attribute(3, bytes(4)), ACK)[0][1][20:]))[7]
    run("ip", "link", "set", netdev[:-1].decode(), "up")
    time.sleep(1)  # netdevsim makes packets every 100 ms while a port is up
    run("ip", "link", "set", netdev[:-1].decode(), "down")
    time.sleep(1)
    show("dev", asked(netlink, number, 1, b"", DUMP), ["dev", "show"])
    show("port", asked(netlink, number, 5, b"", DUMP), ["port", "show"])
    show("info", asked(netlink, number, 51, b"", DUMP), ["dev", "info"])
    show("eswitch", asked(netlink, number, 29, HANDLE, ACK), ["dev", "eswitch", "show", NAME])
    show("trap", asked(netlink, number, 61, b"", DUMP), ["trap", "show"])
    show("trap_group", asked(netlink, number, 65, b"", DUMP), ["trap", "group", "show"])
    show("trap_policer", asked(netlink, number, 69, HANDLE, DUMP), ["trap", "policer", "show"])
    show("health", asked(netlink, number, 52, b"", DUMP), ["health", "show"])
    # Ends with a DONE without payload, and then its acknowledgement.
    resources = asked(netlink, number, 36, HANDLE, ACK, last=(2,))
    show("resources", resources, ["resource", "show", NAME])
    control = text(130, "igmp_query") + attribute(131, b"\0")
    show("warning", asked(netlink, number, 62, HANDLE + control, ACK))
    limit = attribute(142, struct.pack("I", 1)) + attribute(143, struct.pack("Q", 90000))
    show("limit", asked(netlink, number, 70, HANDLE + limit, ACK))
    listening = opened()
    listening.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    show("reload", asked(netlink, number, 37, HANDLE + attribute(153, b"\1"), ACK))
    listening.setblocking(False)
    try:
        while True:
            show("notification", messages(listening.recv(1 << 16)))
    except BlockingIOError:
        pass


main()

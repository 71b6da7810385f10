"""team.py TEAM MODE: sets the mode of a team device, which teamd does otherwise (generic netlink, linux/if_team.h)."""

import errno
import socket
import struct
import sys

NETLINK_GENERIC, CTRL_FAMILY, CTRL_GET_FAMILY, CTRL_ID, CTRL_NAME = 16, 0x10, 3, 1, 2
TEAM_OPTIONS_SET, TEAM_IFINDEX, TEAM_LIST, TEAM_ITEM, OPTION_NAME, OPTION_TYPE, OPTION_DATA = 1, 1, 2, 1, 1, 3, 4
NLA_NESTED, NLA_STRING = 0x8000, 5


def attribute(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def ask(sock, family, command, attributes):
    body = struct.pack("=BBH", command, 1, 0) + attributes
    sock.send(struct.pack("=IHHII", 16 + len(body), family, 5, 1, 0) + body)  # request, acknowledged
    answer = sock.recv(65536)
    if struct.unpack_from("=H", answer, 4)[0] == 2:
        error = -struct.unpack_from("=i", answer, 16)[0]
        if error not in (0, errno.ESRCH):  # done, but nobody listens to the events about it
            raise OSError(error, "generic netlink")
    return answer


def main():
    team, mode = sys.argv[1:]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        answer = ask(sock, CTRL_FAMILY, CTRL_GET_FAMILY, attribute(CTRL_NAME, b"team\0"))
        sock.recv(65536)  # its acknowledgement
        at = 20
        while struct.unpack_from("=HH", answer, at)[1] != CTRL_ID:
            at += (struct.unpack_from("=H", answer, at)[0] + 3) & ~3
        family = struct.unpack_from("=H", answer, at + 4)[0]
        option = (
            attribute(OPTION_NAME, b"mode\0")
            + attribute(OPTION_TYPE, bytes([NLA_STRING]))
            + attribute(OPTION_DATA, mode.encode() + b"\0")
        )
        ifindex = struct.pack("=I", socket.if_nametoindex(team))
        items = attribute(TEAM_LIST | NLA_NESTED, attribute(TEAM_ITEM | NLA_NESTED, option))
        ask(sock, family, TEAM_OPTIONS_SET, attribute(TEAM_IFINDEX, ifindex) + items)


if __name__ == "__main__":
    main()

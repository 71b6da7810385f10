"""Compares and changes --emad-pcap recordings. Shares no code with the project.

    recorded.py same CLIENT HWSIM [MEMBER...]    the client's `recorded` is hwsim's dump, value for value, but for what registers
                                                 don't tell and for these members
    recorded.py other-mtu SOCKET PCAP RIF MTU    somebody else's write: the last one of this router interface again, with another MTU
    recorded.py late PCAP OUT FRAMES             the recording without its first frames
"""

import json
import socket
import struct
import sys

RITR, WRITE, RESPONSE, UNREAD = 0x8002, 2, 0x8000, ("resources", "generation")


def word(data, offset):
    return struct.unpack_from(">I", data, offset)[0]


def frames(path):
    with open(path, "rb") as file:
        data = file.read()
    offset = 24
    while offset + 16 <= len(data):
        end = offset + 16 + struct.unpack_from("<I", data, offset + 8)[0]
        if end > len(data):
            return
        yield data[offset:end]
        offset = end


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def same(client, hwsim, *but):
    recorded, dump = load(client)["recorded"], load(hwsim)
    for policer in dump["policers"]:
        del policer["dropped"]
    members = [name for name in dump if name not in UNREAD and name not in but]
    missing = sorted(set(members) ^ {name for name in recorded if name not in but})
    if missing:
        sys.exit(f"only one of them has: {missing}")
    different = [name for name in members if recorded[name] != dump[name]]
    for name in different:
        print(f"{name}: recorded {json.dumps(recorded[name])}\n{name}: dumped   {json.dumps(dump[name])}")
    if different:
        sys.exit(1)
    sizes = {name: len(dump[name]) for name in members if isinstance(dump[name], list)}
    print(json.dumps(sizes))


def other_mtu(path, pcap, rif, mtu):
    last = None
    for record in frames(pcap):
        head = word(record, 16 + 20)
        is_write = head >> 16 == RITR and head & RESPONSE == 0 and head >> 8 & 0x7F == WRITE
        enabled, index = word(record, 16 + 36) >> 31, word(record, 16 + 36) & 0xFFFF
        if is_write and enabled and index == int(rif):
            last = bytearray(record[16:])
    if last is None:
        sys.exit("no router interface was written")
    struct.pack_into(">Q", last, 24, 0x5E1F)
    struct.pack_into(">H", last, 36 + 0x36, int(mtu))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as chip:
        chip.settimeout(5)
        chip.connect(path)
        chip.send(last)
        answer = chip.recv(1 << 16)
    if word(answer, 16) >> 8 & 0x7F:
        sys.exit("the chip refused")


def late(pcap, out, count):
    with open(pcap, "rb") as file:
        head = file.read(24)
    with open(out, "wb") as file:
        file.write(head)
        for record in list(frames(pcap))[int(count) :]:
            file.write(record)


{"same": same, "other-mtu": other_mtu, "late": late}[sys.argv[1]](*sys.argv[2:])

"""Does to a netdev what vrrpd does, system call by system call, without a macvlan: the MAC of the netdev itself changes.

    vrrpd.py master IFNAME VMAC VIP/LENGTH [down]     the netdev gets VMAC, its former MAC becomes a receiving address, VIP appears
    vrrpd.py backup IFNAME VMAC VIP/LENGTH MAC        all of it undone; MAC is the netdev's again
    vrrpd.py receive|ignore IFNAME MAC                SIOCADDMULTI, SIOCDELMULTI alone
    vrrpd.py hears NETNS:IFNAME VRID SECONDS          prints the source MAC and the priority of the next advertisement of VRID

    SIOCSIFHWADDR VMAC ─▶ SIOCADDMULTI former MAC ─▶ RTM_NEWADDR VIP ─▶ advertisement from VMAC ─▶ one gratuitous ARP
    SIOCSIFHWADDR MAC  ─▶ SIOCDELMULTI MAC ─▶ RTM_DELADDR VIP ─▶ advertisement of priority 0

Of the second call the kernel tells nobody. `down` sets the netdev down for the change, as a NIC wants that can't do it live.
"""

import fcntl
import os
import select
import socket
import struct
import sys
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from frames import VRRP, address, arp, checksum, ethernet, ip, mac, packet_socket

SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
SIOCSIFHWADDR, SIOCGIFHWADDR = 0x8924, 0x8927
SIOCADDMULTI, SIOCDELMULTI = 0x8931, 0x8932
ARPHRD_ETHER, IFF_UP = 1, 1
RTM_NEWADDR, RTM_DELADDR = 20, 21
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x400
IFA_ADDRESS, IFA_LOCAL = 1, 2

control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def ifreq(call, ifname, family=0, payload=b""):
    return fcntl.ioctl(control, call, struct.pack("16sH22s", ifname.encode(), family, payload))


def hardware_address(ifname):
    return ifreq(SIOCGIFHWADDR, ifname)[18:24]


def set_hardware_address(ifname, new, down):
    flags = struct.unpack_from("H", ifreq(SIOCGIFFLAGS, ifname), 16)[0]
    if down:
        ifreq(SIOCSIFFLAGS, ifname, flags & ~IFF_UP)
    ifreq(SIOCSIFHWADDR, ifname, ARPHRD_ETHER, new)
    if down:
        ifreq(SIOCSIFFLAGS, ifname, flags | IFF_UP)


def change_address(kind, ifname, vip):
    local, length = vip.split("/")
    body = struct.pack("BBBBI", socket.AF_INET, int(length), 0, 0, socket.if_nametoindex(ifname))
    for attribute in (IFA_LOCAL, IFA_ADDRESS):
        body += struct.pack("HH4s", 8, attribute, address(local))
    flags = NLM_F_REQUEST | NLM_F_ACK | (NLM_F_CREATE if kind == RTM_NEWADDR else 0)
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.send(struct.pack("IHHII", 16 + len(body), kind, flags, 1, 0) + body)
    error = struct.unpack_from("i", sock.recv(4096), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def advertise(ifname, vmac, vip, priority):
    """VRRPv2 (RFC 2338 5.3), interval 2 s, no authentication, TOS as frames.py has it."""
    vip = vip.split("/")[0]
    body = struct.pack(">BBBBBBH", 0x21, mac(vmac)[5], priority, 1, 0, 2, 0) + address(vip) + bytes(8)
    body = body[:6] + struct.pack(">H", checksum(body)) + body[8:]
    source = socket.inet_ntoa(ifreq(0x8915, ifname)[20:24])  # SIOCGIFADDR: the primary address
    ethertype, packet = ip(source, "224.0.0.18", VRRP, 255, body)
    send(ifname, ethernet("01:00:5e:00:00:12", vmac, ethertype, packet))


def send(ifname, frame):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((ifname, 0))
    sock.send(frame)


def master(ifname, vmac, vip, down=None):
    former = hardware_address(ifname)
    set_hardware_address(ifname, mac(vmac), down)
    ifreq(SIOCADDMULTI, ifname, 0, former)
    change_address(RTM_NEWADDR, ifname, vip)
    advertise(ifname, vmac, vip, 200)
    virtual = vip.split("/")[0]
    send(ifname, arp({"mac": vmac, "src": virtual, "dst": virtual}))


def backup(ifname, vmac, vip, own):
    set_hardware_address(ifname, mac(own), None)
    ifreq(SIOCDELMULTI, ifname, 0, mac(own))
    change_address(RTM_DELADDR, ifname, vip)
    advertise(ifname, vmac, vip, 0)


def hears(where, vrid, seconds):
    sock, end = packet_socket(where), time.monotonic() + float(seconds)
    print("listening", flush=True)
    while select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
        frame = sock.recv(65536)
        if frame[12:14] == b"\x08\x00" and frame[23] == VRRP and frame[35] == int(vrid):
            print(":".join(f"{byte:02x}" for byte in frame[6:12]), frame[36], flush=True)
            return
    sys.exit(f"vrrpd.py: no advertisement of VRID {vrid} within {seconds} s")


def main():
    verb, *arguments = sys.argv[1:]
    if verb in ("receive", "ignore"):
        ifreq(SIOCADDMULTI if verb == "receive" else SIOCDELMULTI, arguments[0], 0, mac(arguments[1]))
    else:
        {"master": master, "backup": backup, "hears": hears}[verb](*arguments)


if __name__ == "__main__":
    main()

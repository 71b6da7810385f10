"""Throws what no client sends at a socket, and says what came back.

    garbage.py datagrams SOCKET [PCAP]    the simulator's SOCK_SEQPACKET: noise, bad JSON, truncated and oversized EMAD frames
    garbage.py stream SOCKET              the daemon's varlink stream: noise, bad JSON, wrong types, endless messages

Exit 0 if each piece got an error or a closed connection, or was dropped, and the peer still answers afterwards. With PCAP, the
writes of an --emad-pcap file are replayed with a changed MAC and cut at every length: none may take effect (the caller
compares tables). The noise is seeded: every run sends the same.
"""

import json
import random
import select
import socket
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from chip import frames, word

RANDOM = random.Random(112)
ETHERNET = bytes.fromhex("0102c90000010002c90102038932")
STREAM_LIMIT = 64 << 20


def connect(path, kind):
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.settimeout(5)
    sock.connect(path)
    return sock


def noise(length):
    return RANDOM.randbytes(length)


def answer(sock, wait=0.2):
    """What came back: bytes, b"" for a closed connection, None for nothing."""
    if not select.select([sock], [], [], wait)[0]:
        return None
    try:
        return sock.recv(1 << 20)
    except ConnectionError:
        return b""


def datagrams(path, pcap):
    pieces = [noise(n) for n in (1, 2, 13, 14, 15, 60, 1500, 9000, 60000)]
    pieces += [ETHERNET + noise(n) for n in (0, 1, 2, 6, 20, 33, 500, 1504, 9000, 65000)]
    pieces += [ETHERNET + b"\0\0" + bytes(n) for n in (4, 16, 32, 1486, 4000)]
    pieces += [ETHERNET + b"\0\0" + b"\xff" * n for n in (4, 16, 32, 1486, 4000)]
    texts = ["{", "{}", '{"request":1}', '{"request":"nonsense"}', '{"request":"dump"', '{"request":"trace"}', "{\0}"]
    texts += ['{"request":"trace","port":99999,"frame":"00"}', '{"request":"trace","port":1,"frame":"0g"}']
    texts += ['{"request":"fault"}', '{"request":"fault","verb":"add","register":7}', '{"request":"' + "x" * 60000 + '"}']
    texts += ["{" + '"a":{' * 20000]
    pieces += [text.encode() for text in texts]
    if pcap:
        requests = [f for f in frames(pcap) if not word(f, 20) >> 15 & 1 and word(f, 20) >> 8 & 0x7F == 2]
        by_register = {word(f, 20) >> 16: f for f in requests}  # the last write of each register
        for frame in by_register.values():
            changed = bytearray(frame)
            for at in range(36, len(changed) - 4):
                changed[at] ^= 0x01 if at >= 52 else 0
            pieces += [bytes(changed[:length]) for length in range(14, len(changed) - 4, 1 if len(changed) < 120 else 37)]
    sock = connect(path, socket.SOCK_SEQPACKET)
    errors = closed = silent = 0
    for piece in pieces:
        try:
            sock.send(piece)
            back = answer(sock, 0.02)
        except (ConnectionError, OSError) as error:
            back = b"" if isinstance(error, ConnectionError) else None
        if back == b"":
            closed += 1
            sock = connect(path, socket.SOCK_SEQPACKET)
        elif back is None:
            silent += 1
        elif back.startswith(b"{") and json.loads(back).get("ok") is True:
            sys.exit(f"accepted: {piece[:80]!r} -> {back[:80]!r}")
        elif back[12:14] == b"\x89\x32" and word(back, 16) >> 8 & 0x7F == 0:
            sys.exit(f"acknowledged: {piece.hex()}")
        else:
            errors += 1
    sock = connect(path, socket.SOCK_SEQPACKET)
    sock.send(b'{"request":"hello"}')
    if json.loads(sock.recv(65536)).get("ok") is not True:
        sys.exit("does not answer any more")
    print(f"{len(pieces)} datagrams: {errors} errors, {closed} closed, {silent} dropped")


def stream(path):
    pieces = [noise(n) + b"\0" for n in (1, 10, 1000, 100000)]
    pieces += [b"\0", b"\0\0\0", b"{}\0", b"[]\0", b"null\0", b"7\0", b'"x"\0', b"{\0", b'{"method":7}\0', b"\xff\xfe\0"]
    pieces += [b'{"method":"org.varlink.service.GetNothing"}\0', b'{"method":"x"}\0', b'{"method":""}\0']
    pieces += [b'{"method":"org.varlink.service.GetInfo","parameters":7}\0', b'{"method":"' + b"m" * 100000 + b'"}\0']
    pieces += [b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":[]}}\0']
    pieces += [b'{"a":' * 50000 + b"\0", b"[" * 100000 + b"\0"]
    errors = closed = silent = 0
    for piece in pieces:
        sock = connect(path, socket.SOCK_STREAM)
        try:
            sock.sendall(piece)
            back = answer(sock)
        except ConnectionError:
            back = b""
        if back == b"":
            closed += 1
        elif back is None:
            silent += 1
        elif b'"error"' in back:
            errors += 1
        else:
            sys.exit(f"accepted: {piece[:80]!r} -> {back[:80]!r}")
        sock.close()
    # A message without an end: the daemon must stop reading it at some point, whatever that is.
    sock, sent = connect(path, socket.SOCK_STREAM), 0
    try:
        while sent < STREAM_LIMIT:
            sent += sock.send(b"x" * 65536)
        sys.exit(f"took {sent} bytes of one message")
    except TimeoutError:
        sys.exit(f"hangs after {sent} bytes of one message")
    except ConnectionError:
        closed += 1
    # Half a message, then silence: must not keep others out.
    half = connect(path, socket.SOCK_STREAM)
    half.sendall(b'{"method":"org.varl')
    sock = connect(path, socket.SOCK_STREAM)
    sock.sendall(b'{"method":"org.varlink.service.GetInfo"}\0')
    if b'"error"' in sock.recv(65536):
        sys.exit("does not answer any more")
    print(f"{len(pieces) + 1} messages: {errors} errors, {closed} closed, {silent} without an answer; {sent} bytes of the endless one")


if __name__ == "__main__":
    kind, path, *rest = sys.argv[1:]
    if kind == "datagrams":
        datagrams(path, rest[0] if rest else None)
    else:
        stream(path)

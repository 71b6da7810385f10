"""A TCP connection that is used without a pause, to see what becomes of it.

    tcp.py serve ADDRESS PORT [INTERFACE]      echoes one connection; prints `listening` first
    tcp.py talk ADDRESS PORT [INTERVAL]        sends a numbered line each INTERVAL (0.01) seconds and reads it back, prints `connected`
                                               at the first; at SIGINT or SIGTERM it waits for the rest, and prints one JSON line
"""

import json
import select
import signal
import socket
import sys
import time


def serve(address, port, interface=None):
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if interface:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    listener.bind((address, int(port)))
    listener.listen()
    print("listening", flush=True)
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(65536):
        connection.sendall(data)


def talk(address, port, interval="0.01"):
    sock = socket.create_connection((address, int(port)), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(time.monotonic()))
    begin, sent, received, pending = time.monotonic(), 0, 0, b""
    last, worst, broken = begin, 0.0, None
    while broken is None and not (stop and (received == sent or time.monotonic() > stop[0] + 20)):
        now = time.monotonic()
        if not stop and now >= begin + sent * float(interval):
            try:
                sock.send(b"%08d\n" % sent)
                sent += 1
            except BlockingIOError:
                pass
            except OSError as error:
                broken = str(error)
        try:
            ready, _, _ = select.select([sock], [], [], float(interval) / 2)
            data = sock.recv(65536) if ready else None
        except InterruptedError:
            continue
        except OSError as error:
            broken = str(error)
            continue
        if data == b"":
            broken = "closed by the peer"
        pending += data or b""
        while len(pending) >= 9:
            if pending[:9] != b"%08d\n" % received:
                broken = f"{pending[:9]!r} in the place of {received}"
            pending, received = pending[9:], received + 1
            worst, last = max(worst, time.monotonic() - last), time.monotonic()
            if received == 1:
                print("connected", flush=True)
    result = {"sent": sent, "received": received, "broken": broken, "longest_silence_ms": round(worst * 1000, 1)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    {"serve": serve, "talk": talk}[sys.argv[1]](*sys.argv[2:])

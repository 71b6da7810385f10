"""A chip whose register writes take their time, in front of hwsim.

    slow_chip.py SOCKET HWSIM MICROSECONDS [one-at-a-time]

The answer to a write comes so much after it was done; many may be under way, or with `one-at-a-time` only one: the next is handed on when
the former is answered. Everything else is answered at once.
"""

import os
import select
import socket
import sys
import time
from collections import deque

BIG = 1 << 20


def is_write(datagram):
    """An EMAD whose operation is a write: its method is 2 (Linux's emad.h), in requests and answers alike."""
    return datagram[:1] != b"{" and len(datagram) > 32 and datagram[22] & 0x7F == 2


def relay(client, chip, delay, serial):
    """Until one of them closes."""
    waiting, due, busy = deque(), deque(), False
    client.setblocking(False)
    while True:
        left = max(due[0][0] - time.monotonic(), 0) if due else None
        for end in select.select([client, chip], [], [], left)[0]:
            if end is client:
                try:
                    while True:
                        request = client.recv(BIG)
                        if not request:
                            return
                        if is_write(request):
                            waiting.append(request)
                        else:
                            chip.send(request)
                except BlockingIOError:
                    pass
            else:
                answer = chip.recv(BIG)
                if not answer:
                    return
                if is_write(answer):
                    due.append((time.monotonic() + delay, answer))
                else:
                    client.send(answer)
        while due and due[0][0] <= time.monotonic():
            client.send(due.popleft()[1])
            busy = False
        while waiting and not (serial and busy):
            chip.send(waiting.popleft())
            busy = True


def main():
    path, hwsim, delay = sys.argv[1], sys.argv[2], int(sys.argv[3]) / 1e6
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(8)
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        if os.fork():
            client.close()
            continue
        chip = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        chip.connect(hwsim)
        relay(client, chip, delay, len(sys.argv) > 4)
        os._exit(0)


main()

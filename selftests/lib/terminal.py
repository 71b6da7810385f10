"""Runs firsthopd on a terminal of its own until it is ready, ends it, and prints what it said.

    terminal.py PROGRAM [ARGUMENT...]
"""

import os
import pty
import signal
import sys

child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:  # EIO: the program has ended
        break
    if not piece:
        break
    said += piece
    if b"ready\r\n" in said:
        os.kill(child, signal.SIGTERM)
os.waitpid(child, 0)
sys.stdout.buffer.write(said)

"""The daemon's socket as a test sees it: varlink calls over one connection, without the client that is under test."""

import json
import socket

INTERFACE = "org.firsthop.Agent."


class Refused(Exception):
    """The answer is an error: its name and its parameters."""


class Agent:
    def __init__(self, path, limit=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(limit)
        self.socket.connect(path)
        self.rest = b""
        # Whether more answers follow the last one.
        self.continues = False

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def ask(self, method, more=False, **parameters):
        """Sends a call, and does not wait. Names without a dot are of the agent's interface."""
        call = {"method": method if "." in method else INTERFACE + method, "parameters": parameters}
        if more:
            call["more"] = True
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def answer(self):
        """The next answer's parameters."""
        while b"\0" not in self.rest:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the daemon closed the connection")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        told = json.loads(message)
        self.continues = told.get("continues", False)
        if "error" in told:
            raise Refused(told["error"], told.get("parameters"))
        return told.get("parameters", {})

    def call(self, method, **parameters):
        self.ask(method, **parameters)
        return self.answer()

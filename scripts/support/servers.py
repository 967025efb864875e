"""Kills and restarts the server processes of a stack."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path


class Server:
    """The one process that listens on a port and was started with `CHAT_PORT`."""

    def __init__(self, name, port):
        self.port = port
        self.pid = next(
            int(folder.name) for folder in Path("/proc").iterdir()
            if folder.name.isdigit() and self.is_it(folder, name))
        folder = Path(f"/proc/{self.pid}")
        self.program = os.readlink(folder / "exe")
        self.environment = self.environment_of(folder)
        self.again = None

    @staticmethod
    def environment_of(folder):
        pairs = (folder / "environ").read_bytes().split(b"\0")
        return dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)

    def is_it(self, folder, name):
        try:
            return (Path(os.readlink(folder / "exe")).name == name
                    and self.environment_of(folder).get("CHAT_PORT") == str(self.port))
        except OSError:
            return False

    def kill(self):
        """Ends it at once, as a crash does, and waits until its port is free."""
        os.kill(self.again.pid if self.again else self.pid, signal.SIGKILL)
        if self.again:
            self.again.wait(timeout=10)
        while self.answers():
            time.sleep(0.02)

    def start(self):
        """Starts it as it was started first, and waits until it is ready."""
        self.again = subprocess.Popen(
            [self.program], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self.answers():
            if time.monotonic() > deadline or self.again.poll() is not None:
                raise SystemExit(f"{self.program} did not start again")
            time.sleep(0.05)

    def stop(self):
        """Ends what `start` has started."""
        if self.again and self.again.poll() is None:
            self.again.send_signal(signal.SIGTERM)
            # A server gives up on hanging work after 30 s.
            self.again.wait(timeout=40)

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

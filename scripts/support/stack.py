"""A private stack of the servers, run by `chat stack`, and a client for it."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a long password"
# PyPI may be out of reach for a while.
ATTEMPTS = 5


def environment_with(name, *requirements):
    """The folder of a Python environment below .build that holds packages, made on first use."""
    folder = ROOT / ".build" / name
    mark = folder / ",".join(requirements)
    if not mark.exists():
        venv.create(folder, with_pip=True, clear=True)
        command = [folder / "bin" / "pip", "install", "--quiet", "--retries", "10", "--timeout", "60", *requirements]
        for attempt in range(1, ATTEMPTS + 1):
            if subprocess.run(command, check=attempt == ATTEMPTS).returncode == 0:
                break
            time.sleep(5 * attempt)
        mark.touch()
    return folder


def run_with(name, *requirements):
    """Restarts this program in a Python environment that has the packages."""
    folder = environment_with(name, *requirements)
    if Path(sys.prefix).resolve() != folder.resolve():
        python = folder / "bin" / "python3"
        os.execv(python, [python, *sys.argv])


def executable(name="chat"):
    """The path of the tool that was built last; CHAT_BUILD_DIR names another folder."""
    folder = os.environ.get("CHAT_BUILD_DIR")
    found = [Path(folder)] if folder else [ROOT / ".build" / kind for kind in ("release", "debug")]
    tools = [path / name for path in found if (path / name).exists()]
    if not tools:
        raise SystemExit("The servers are not built: swift build")
    return max(tools, key=lambda path: path.stat().st_mtime)


class Stack:
    """A private stack: ready when the `with` block begins, stopped when it ends."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        # `timeout` ends a program by SIGTERM. Python would not leave the block then, and the stack would stay.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self.process = subprocess.Popen(
            [executable(), "stack", *self.options], stdout=subprocess.PIPE, text=True, start_new_session=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("The stack did not start")
        self.place = json.loads(line)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def call(self, server, method, path, body=None, token=None, headers=None):
        """One request. Returns the status, the headers and the body's text."""
        fields = dict(headers or {})
        if body is not None:
            fields.setdefault("Content-Type", "application/json")
        if token is not None:
            fields["Authorization"] = "Bearer " + token
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.place[server] + path, data, fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read().decode()

    def json(self, *arguments, **options):
        status, _, text = self.call(*arguments, **options)
        if not 200 <= status < 300:
            raise SystemExit(f"{arguments}: {status} {text}")
        return json.loads(text)

    def key(self, *scopes):
        """Creates a server key with these scopes."""
        options = [word for scope in scopes for word in ("--scope", scope)]
        return subprocess.run(
            [executable(), "keys", "create", "key-" + secrets.token_hex(4), *options], check=True, text=True,
            stdout=subprocess.PIPE, env={**os.environ, "CHAT_DATABASE_URL": self.place["database"]}).stdout.strip()

    def user(self, name=None):
        """Registers a user. Returns the user with an access token."""
        account = {"username": name or "u" + secrets.token_hex(6), "password": PASSWORD}
        user = self.json("system", "POST", "/api/v1/auth/register", account)
        user["token"] = self.json("system", "POST", "/api/v1/auth/login", account)["accessToken"]
        return user

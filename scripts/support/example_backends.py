"""Runs Examples/backend-python and Examples/crm-mirror against a private stack and kills them: the bot answers each message
once, and the mirror's table is equal to the rooms' logs."""

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
from stack import ROOT, Stack, run_with  # noqa: E402

run_with("examples", "pyjwt[crypto]==2.15.1")

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBtaXJyb3IsIDMyIGJ5dGVzLiE="
LIVES = 5
DEADLINE_S = 60
random.seed(7)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: {what}")
        time.sleep(0.1)


def request(url, body=None, headers=None):
    """The status and the JSON of an answer; status 0 where there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as answer:
        return answer.code, None
    except OSError:
        return 0, None


class Program:
    """One of the examples, in a folder that stays over its lives."""

    def __init__(self, script, *arguments, folder, environment):
        self.command = [sys.executable, ROOT / "Examples" / script, *map(str, arguments)]
        self.folder, self.environment = folder, {**os.environ, **environment}
        folder.mkdir(exist_ok=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stderr=open(self.folder / "log", "a"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def die_and_come_back(self, meanwhile):
        time.sleep(random.uniform(0, 0.3))
        self.kill()
        meanwhile()
        self.start()


def messages(stack, room, token):
    """All messages of a room as they are now, oldest first."""
    items, after = [], 0
    while True:
        page = stack.json("message", "GET", f"/api/v1/rooms/{room}/messages?after={after}&limit=100", token=token)
        items += page["items"]
        if not page["hasMore"]:
            return items
        after = page["nextAfter"]


def sign_in(stack, issuer, name, password):
    """As a client does: by the backend's sign-in, and with its token by the chat."""
    until(lambda: request(f"{issuer}/keys")[0] == 200, "the backend does not answer")
    status, _ = request(f"{issuer}/login", json.dumps({"user": name, "password": "wrong"}).encode())
    assert status == 401, status
    _, answer = request(f"{issuer}/login", json.dumps({"user": name, "password": password}).encode())
    token = stack.json("system", "POST", "/api/v1/auth/exchange", {"token": answer["token"]})["accessToken"]
    me = stack.json("system", "GET", "/api/v1/users/me", token=token)
    assert me["externalId"] == f"shop/{name}" and me["displayName"] == name.capitalize(), me
    return token


def check_backend(stack, backend, token, room):
    def say(text):
        body = {"roomId": room, "messageType": "text", "payload": {"text": text}}
        return stack.call("message", "POST", "/api/v1/messages", body, token=token)[0] == 201

    def answers():
        texts = [json.loads(item["contentJson"])["text"] for item in messages(stack, room, token)]
        return [text for text in texts if text.startswith("We read: ")]

    until(lambda: say("0"), "the backend makes no room")
    said = ["0"]
    for life in range(LIVES):
        for number in range(3):
            said.append(f"{life}.{number}")
            assert say(said[-1])
        said.append(f"{life}.while it is gone")
        backend.die_and_come_back(lambda: say(said[-1]))
    expected = [f"We read: {text}" for text in said]
    until(lambda: len(answers()) >= len(expected), f"messages are missed: {answers()}")
    if answers() != expected:
        raise SystemExit(f"FAILED: answered {answers()} in place of {expected}")
    print(f"backend-python: {len(said)} messages answered, each once and in order, over {LIVES} kills")


def make_mirror(stack, key, folder):
    port, database = free_port(), folder / "mirror.sqlite"
    mirror = Program("crm-mirror/mirror.py", port, database, folder=folder, environment={"WEBHOOK_SECRET": SECRET})
    until(lambda: request(f"http://127.0.0.1:{port}/", b"{}")[0] == 401, "the mirror takes what nobody signed")
    stack.json(
        "message", "POST", "/api/v1/webhooks",
        {"url": f"http://127.0.0.1:{port}/", "secret": SECRET, "from": "begin"}, token=key)
    return mirror, database


def rows(database):
    with sqlite3.connect(database) as connection:
        return sorted(connection.execute("SELECT * FROM messages"))


def logs(stack, rooms, token):
    return sorted(
        (item["messageId"], item["roomId"], item["seq"], item["senderId"], item["messageType"], item["contentJson"],
         int(item["isEdited"]), int(item["isDeleted"]))
        for room in rooms for item in messages(stack, room, token))


def check_mirror(stack, key, token, folder):
    def say(room, text):
        body = {"roomId": room, "messageType": "text", "payload": {"text": text}}
        return stack.json("message", "POST", "/api/v1/messages", body, token=token)["messageId"]

    def change(life):
        """Something of everything that can happen to messages."""
        kept, edited, deleted = [say(random.choice(rooms), f"{life} '{what}' ä☔") for what in "ked"]
        stack.json("message", "PATCH", f"/api/v1/messages/{edited}", {"payload": {"text": "edited"}}, token=token)
        stack.call("message", "DELETE", f"/api/v1/messages/{deleted}", token=token)
        stack.json("message", "PATCH", f"/api/v1/messages/{kept}", {"payload": {"text": f"{life}"}}, token=token)

    rooms = ["mirror-1", "mirror-2", "support-ann"]
    for room in rooms[:2]:
        stack.json("system", "POST", "/api/v1/rooms", {"roomId": room, "name": room, "type": "group"}, token=token)
    mirror, database = make_mirror(stack, key, folder / "first")
    for life in range(LIVES):
        change(life)
        mirror.die_and_come_back(lambda: change(f"{life}, while it is gone"))
    until(lambda: rows(database) == logs(stack, rooms, token), "the mirror's table is not equal to the logs")
    # A second mirror from the beginning, into an empty table, sees only the final state of the messages.
    other, database_of_other = make_mirror(stack, key, folder / "second")
    until(lambda: rows(database_of_other) == rows(database), "a table that is filled later is another one")
    mirror.kill()
    other.kill()
    deleted = sum(row[-1] for row in rows(database))
    assert deleted == 2 * LIVES, deleted
    print(f"crm-mirror: {len(rows(database))} messages, {deleted} of them deleted, as in the logs, over {LIVES} kills")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        issuer = f"http://127.0.0.1:{free_port()}"
        issuers = json.loads((ROOT / "Examples" / "backend-python" / "issuers.json").read_text())
        issuers[0] |= {"issuer": issuer, "jwksURL": f"{issuer}/keys"}
        (folder / "issuers.json").write_text(json.dumps(issuers))
        with Stack(
                "--set", f"CHAT_ISSUERS_FILE={folder}/issuers.json", "--set", "CHAT_WEBHOOK_ALLOW=127.0.0.1") as stack:
            key = stack.key("users", "rooms", "messages", "changes")
            backend = Program(
                "backend-python/backend.py", folder=folder / "backend",
                environment={
                    "CHAT_SYSTEM_URL": stack.place["system"], "CHAT_MESSAGE_URL": stack.place["message"],
                    "CHAT_KEY": key, "ISSUER": issuer})
            try:
                token = sign_in(stack, issuer, "ann", "apple")
                check_backend(stack, backend, token, "support-ann")
                check_mirror(stack, key, token, folder)
            finally:
                backend.kill()


main()

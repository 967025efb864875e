"""Runs the bots of Examples/ against servers of `trusted` mode and kills them: none answers twice, none misses a message."""

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from stack import ROOT, Stack, executable  # noqa: E402

HUMAN, BOT = 1, 2
LIVES = 5
DEADLINE_S = 180
ASK_AGAIN_S = 5


class Room:
    """A room with a person in it, who writes, and reads what the bot answers."""

    def __init__(self, stack):
        self.stack = stack
        self.id = "echo-" + secrets.token_hex(4)
        self.call("system", "POST", "/rooms", {"roomId": self.id, "name": "Echo", "type": "public"})
        self.call("system", "POST", f"/rooms/{self.id}/join", None, BOT)

    def call(self, server, method, path, body=None, user=HUMAN):
        return self.stack.json(server, method, "/api/v1" + path, body, headers={"X-User-Id": str(user)})

    def say(self, text):
        self.call("message", "POST", "/messages", {"roomId": self.id, "messageType": "text", "payload": {"text": text}})

    def answers(self):
        """The bot's texts, oldest first."""
        items, after = [], 0
        while True:
            page = self.call("message", "GET", f"/rooms/{self.id}/messages?after={after}&limit=100")
            items += page["items"]
            if not page["hasMore"]:
                break
            after = page["nextAfter"]
        return [json.loads(item["contentJson"]).get("text", "") for item in items if item["senderId"] == BOT]

    def until(self, condition, what):
        end = time.monotonic() + DEADLINE_S
        while not condition(self.answers()):
            if time.monotonic() > end:
                raise SystemExit(f"{what}: {self.answers()}")
            time.sleep(0.1)


class Bot:
    """A bot's process in a folder of its own, which stays over its lives."""

    def __init__(self, command, folder, environment):
        self.command, self.folder, self.environment = command, folder, environment

    def start(self):
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)

    def kill(self):
        """With everything that it has started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def node(url, room, folder):
    place = folder / "echo-bot-node"
    shutil.copytree(ROOT / "Examples" / "echo-bot-node", place)
    # What `npm install` does for a package in a folder.
    (place / "node_modules").mkdir()
    (place / "node_modules" / "chat-client").symlink_to(ROOT / "Clients" / "JavaScript")
    return ["node", "--experimental-websocket", "--no-warnings", place / "bot.js", url, BOT, room], {}


def swift(url, room, folder):
    return [ROOT / "Clients" / "Swift" / ".build" / "debug" / "EchoBot", url, BOT, room], {}


def shell(url, room, folder):
    path = f"{executable().resolve().parent}:{os.environ['PATH']}"
    return [ROOT / "Examples" / "echo-bot-shell" / "bot.sh", BOT, room], {"PATH": path, "CHAT_URL": url}


def check(stack, make, folder):
    room, home = Room(stack), folder / "home"
    home.mkdir()
    command, variables = make(stack.place["system"], room.id, folder)
    bot = Bot([str(word) for word in command], home, {**os.environ, **variables, "CHAT_CLIENT_DIR": str(home / "chat")})
    bot.start()
    try:
        asked = -ASK_AGAIN_S

        def is_there(answers):
            nonlocal asked
            # Not with each look: a bot that starts slowly has to answer them all.
            if not answers and time.monotonic() - asked >= ASK_AGAIN_S:
                room.say("there?")
                asked = time.monotonic()
            return answers
        # The bot may read only from now on, so answers are expected only after its first one.
        room.until(is_there, f"{make.__name__}: no answer")
        said = []
        for life in range(LIVES):
            for number in range(3):
                said.append(f"{life}.{number}")
                room.say(said[-1])
            time.sleep(random.uniform(0, 0.5))
            bot.kill()
            said.append(f"{life}.while it is gone")
            room.say(said[-1])
            bot.start()
        expected = [f"You said: {text}" for text in said]
        room.until(lambda answers: set(expected) <= set(answers), f"{make.__name__}: messages are missed")
        answers = [text for text in room.answers() if "there?" not in text]
        if answers != expected:
            raise SystemExit(f"{make.__name__}: answered {answers} in place of {expected}")
        print(f"{make.__name__}: {len(said)} messages answered, each once and in order, over {LIVES} kills")
    finally:
        bot.kill()


with Stack("--trusted") as the_stack:
    for the_bot in (node, swift, shell):
        with tempfile.TemporaryDirectory() as name:
            check(the_stack, the_bot, Path(name))

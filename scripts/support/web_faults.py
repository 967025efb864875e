"""Steps of scripts/web-client in which something goes wrong on the way: nothing may be missing, double or out of order."""

import re
import time

from playwright.sync_api import expect

# Sockets hear of a token's end 60 s before it, so that each has one exchanged in the course of a run.
# A page renews its token when a quarter of this is left.
TOKEN_SECONDS = 20


def renewing(alice, bob, stack):
    """Each token was exchanged in place by now, or soon is: the socket stays."""
    sockets, refreshes = bob.sockets, bob.refreshes
    deadline = time.monotonic() + TOKEN_SECONDS
    while bob.refreshes == refreshes:
        assert time.monotonic() < deadline, "no token was refreshed"
        bob.page.wait_for_timeout(100)
    alice.say("With a new token")
    bob.sees(["With a new token"])
    assert bob.sockets == sockets, "a socket was replaced because of a token"


def sockets_gone(alice, bob, stack):
    stack.sockets.kill()
    for person in (alice, bob):
        expect(person("#room-state")).to_have_text(re.compile("No connection|Connecting"))
    texts = [f"While nobody hears {index}" for index in range(5)]
    for text in texts:
        alice.say(text)
    expect(alice("#log .sent")).to_have_count(5)
    stack.sockets.start()
    for person in (alice, bob):
        person.is_live()
        person.sees(texts)


def posts_gone(alice, bob, stack):
    stack.messages.kill()
    texts = [f"While nobody takes it {index}" for index in range(3)]
    for text in texts:
        alice.say(text)
    expect(alice("#log .sending")).to_have_count(3)
    alice.picture("sending")
    # What is on its way outlives a reload.
    alice.page.reload()
    expect(alice("#log .sending")).to_have_count(3)
    stack.messages.start()
    for person in (alice, bob):
        person.sees(texts)
    # What could not be loaded then is there now.
    expect(alice("#history-trouble")).to_have_text("")
    assert alice.texts()[0] == "alice says 0", alice.texts()


def answers_lost(alice, bob, stack):
    lost = []

    def lose(route):
        if route.request.method != "POST" or len(lost) == 2:
            return route.continue_()
        lost.append(route.fetch().status)
        route.abort()

    alice.page.route("**/api/v1/messages", lose)
    texts = ["Said twice, stored once", "And another"]
    for text in texts:
        alice.say(text)
    for person in (alice, bob):
        person.sees(texts)
    assert lost == [201, 200], lost
    alice.page.unroute("**/api/v1/messages")


def refused(alice, bob, stack):
    alice.page.route("**/api/v1/messages", lambda route: route.fulfill(
        status=422, content_type="application/problem+json", headers={"Access-Control-Allow-Origin": "*"},
        body='{"code": "validation_failed", "detail": "Not like this"}')
        if route.request.method == "POST" else route.continue_())
    alice.say("Once more")
    expect(alice("#log .failed .state")).to_have_text("failed: Not like this")
    alice.picture("failed")
    alice.expect_error("422")
    alice.page.unroute("**/api/v1/messages")
    alice.page.get_by_role("button", name="Try again").click()
    bob.sees(["Once more"])
    expect(alice("#log .failed")).to_have_count(0)


def frames_lost(alice, bob, stack):
    """One frame never comes and all others come twice; then the server says that it does not know this log."""
    dropped, sockets = [], []

    def meddle(socket):
        sockets.append(socket)

        def pass_on(frame):
            if "Lost on the way" in frame and not dropped:
                return dropped.append(frame)
            for _ in range(2 if '"seq"' in frame and '"ready"' not in frame else 1):
                socket.send(frame)

        socket.connect_to_server().on_message(pass_on)

    alice.page.route_web_socket(re.compile("/ws/chat"), meddle)
    alice.page.reload()
    alice.is_live()
    texts = ["Lost on the way", "Comes twice", "And so does this"]
    for text in texts:
        bob.say(text)
    for person in (alice, bob):
        person.sees(texts)
    assert len(dropped) == 1
    sockets[-1].close(code=4409, reason="another log")
    bob.say("In another log")
    alice.sees([*texts, "In another log"])
    alice.is_live()
    assert len(sockets) == 2

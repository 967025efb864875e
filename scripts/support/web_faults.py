"""Steps of scripts/web-client in which something goes wrong on the way: nothing may be missing, double or out of order."""

import json
import re
import time

from playwright.sync_api import expect

# A page has its token exchanged when a fifth of this is left.
TOKEN_SECONDS = 30
REFUSAL = {
    "status": 422, "content_type": "application/problem+json", "headers": {"Access-Control-Allow-Origin": "*"},
    "body": '{"code": "validation_failed", "detail": "Not like this"}',
}


def renewing(alice, bob, stack):
    """Tokens are exchanged in place: the socket stays, in the first tab and in a second one."""
    second = alice.open_tab()
    second.goto(alice.page.url)
    expect(second.locator("#log .message").first).to_be_visible()
    # Its socket counts, too, and messages are shown before there is one.
    second.wait_for_function("() => document.querySelector('#chat').dataset.state === 'live'")
    sockets, refreshes = alice.sockets, alice.count("/auth/refresh")
    alice.has_asked("/auth/refresh", refreshes + 1, seconds=2 * TOKEN_SECONDS)
    alice.say("With a new token")
    bob.sees(["With a new token"])
    expect(second.locator("#log .message .body").last).to_have_text("With a new token")
    assert alice.sockets == sockets, "a socket was replaced because of a token"
    second.close()
    # A tab that is closed signs nobody out, and one that is opened later is signed in.
    third = alice.open_tab()
    third.goto(alice.page.url)
    expect(third.locator("#log .message .body").last).to_have_text("With a new token")
    expect(third.locator("#log .message .body", has_text="With a new token")).to_have_count(1)
    third.close()


def sockets_gone(alice, bob, stack):
    stack.sockets.kill()
    for person in (alice, bob):
        expect(person("#connection")).to_contain_text(re.compile("No connection|Connecting"))
    texts = [f"While nobody hears {index}" for index in range(5)]
    for text in texts:
        alice.say(text)
    alice.picture("no-connection")
    stack.sockets.start()
    # The button goes with the pause that it ends, maybe between a look and a click.
    alice.page.evaluate("() => { const button = document.querySelector('#try-now'); if (button.checkVisibility()) button.click() }")
    for person in (alice, bob):
        person.is_live()
        person.sees(texts)


def posts_gone(alice, bob, stack):
    stack.messages.kill()
    texts = [f"While nobody takes it {index}" for index in range(3)]
    for text in texts:
        alice.say(text)
    expect(alice("#log .waiting")).to_have_count(3)
    alice.picture("waiting")
    # What waits outlives a reload, can be taken back, and changed.
    alice.page.reload()
    expect(alice("#log .waiting")).to_have_count(3)
    alice.message(texts[2]).get_by_role("button", name="Take back").click()
    expect(alice("#log .waiting")).to_have_count(2)
    stack.messages.start()
    # What was taken back would come before this one.
    alice.say("Somebody takes it again")
    for person in (alice, bob):
        person.sees([*texts[:2], "Somebody takes it again"])


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
    # The second is a repeat, or the next one where the log has shown the first meanwhile.
    assert lost[0] == 201 and lost[1] in (200, 201), lost
    alice.page.unroute("**/api/v1/messages")


def refused(alice, bob, stack):
    """A refused message blocks no other, shows its reason, and can be retried or discarded."""
    def refuse(route):
        is_bad = route.request.method == "POST" and "Refuse me" in (route.request.post_data or "")
        route.fulfill(**REFUSAL) if is_bad else route.continue_()

    alice.page.route("**/api/v1/messages", refuse)
    alice.say("Refuse me")
    alice.say("Refuse me, too")
    alice.say("But not me")
    bob.sees(["But not me"])
    expect(alice("#log .refused .state").first).to_contain_text("Not sent:")
    expect(alice("#log .refused")).to_have_count(2)
    alice.picture("refused")
    alice.errors = [error for error in alice.errors if "422" not in error]
    alice.message("Refuse me, too").get_by_role("button", name="Discard").click()
    alice.page.unroute("**/api/v1/messages")
    alice.message("Refuse me").get_by_role("button", name="Try again").click()
    bob.sees(["But not me", "Refuse me"])
    expect(alice("#log .refused")).to_have_count(0)


def frames_lost(alice, bob, stack):
    """One frame is lost and all others arrive twice; then the connection is closed as for another log."""
    dropped, sockets = [], []

    def meddle(socket):
        sockets.append(socket)
        # Frames of one's own pass unchanged.
        server = socket.connect_to_server()

        def pass_on(frame):
            if "Lost on the way" in frame and not dropped:
                return dropped.append(frame)
            for _ in range(2 if '"seq"' in frame and '"mark"' in frame and '"message' in frame else 1):
                socket.send(frame)

        server.on_message(pass_on)

    alice.page.route_web_socket(re.compile("/ws/user"), meddle)
    alice.page.reload()
    alice.is_live()
    texts = ["Lost on the way", "Comes twice", "And so does this"]
    for text in texts:
        bob.say(text)
    for person in (alice, bob):
        person.sees(texts)
    assert len(dropped) == 1 and len(sockets) >= 2, (len(dropped), len(sockets))
    sockets[-1].close(code=4409, reason="another log")
    bob.say("After another close")
    alice.sees([*texts, "After another close"])
    alice.is_live()
    # What was routed stays routed for this page.
    address = alice.page.url
    alice.page.close()
    alice.page = alice.open_tab()
    alice.page.goto(address)
    alice.is_live()


def log_set_back(alice, bob, stack):
    """The server reports another log of a room: the page says so and continues from there."""
    sockets, rooms = [], {}

    def meddle(socket):
        sockets.append(socket)

        def pass_on(frame):
            data = json.loads(frame)
            rooms.update((room["roomId"], room) for room in data.get("rooms", []))
            socket.send(frame)

        socket.connect_to_server().on_message(pass_on)

    page = alice.open_tab()
    page.route_web_socket(re.compile("/ws/user"), meddle)
    page.goto(alice.page.url)
    expect(page.locator("#chat")).to_have_attribute("data-state", "live")
    expect(page.locator("#log .message").first).to_be_visible()
    # The list of rooms may have come in a former life of the store.
    room_id = alice.room
    room = rooms.get(room_id) or stack.json("system", "GET", "/api/v1/rooms", token=alice.token)["items"][0]
    sockets[-1].send(json.dumps({"eventType": "room_reset", "roomId": room["roomId"], "seq": room["lastSeq"],
                                 "mark": room["mark"], "room": room}))
    expect(page.locator("#room-notice")).to_contain_text("restored this room from a backup")
    bob.say("In the log that is there now")
    expect(page.locator("#log .message .body").last).to_have_text("In the log that is there now")
    expect(page.locator("#room-notice")).to_be_hidden()
    page.close()


def quota(alice, bob, stack):
    """The browser has no room left: the page goes on, and nothing is lost or double."""
    session = alice.context.new_cdp_session(alice.page)
    origin = "/".join(alice.page.url.split("/")[:3])
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 1_000})
    texts = [f"No room left {index} " + "x" * 200 for index in range(4)]
    for text in texts:
        alice.say(text)
    for person in (alice, bob):
        person.sees(texts)
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin})


def offline(alice, bob, stack):
    """Being offline is shown at once, waiting messages can be taken back; later nothing is missing or failed."""
    alice.context.set_offline(True)
    start = time.monotonic()
    expect(alice("#connection")).to_contain_text("You are offline", timeout=10_000)
    said = time.monotonic() - start
    alice.say("Written offline")
    expect(alice("#log .waiting")).to_have_count(1)
    alice.picture("offline")
    bob.say("Meanwhile")
    alice.context.set_offline(False)
    start = time.monotonic()
    expect(alice("#connection")).to_be_hidden()
    print(f"    offline is said after {said:.2f} s, and live again {time.monotonic() - start:.2f} s after its end")
    alice.until("both are there", "() => document.querySelector('#log').innerText.includes('Meanwhile')"
                " && !document.querySelector('#log .waiting')")
    bob.until("it is stored", "() => document.querySelector('#log').innerText.includes('Written offline')")


def no_socket(alice, bob, stack):
    """Neither a socket nor a stream gets through: history is shown, and posts are stored."""
    alice.page.route_web_socket(re.compile("/ws/user"), lambda socket: socket.close(code=1011))
    alice.page.route("**/sse/user*", lambda route: route.abort())
    alice.page.evaluate("() => indexedDB.databases().then(all => all.forEach(each => indexedDB.deleteDatabase(each.name)))")
    alice.page.reload()
    expect(alice("#log .message").first).to_be_visible()
    assert len(alice.texts()) > 5
    expect(alice("#connection")).to_be_visible()
    expect(alice("#no-composer")).to_contain_text("without a live connection")
    expect(alice("#join-room")).to_be_hidden()
    alice.picture("no-socket")
    # What was routed stays routed for this page.
    address = alice.page.url
    alice.page.close()
    alice.page = alice.open_tab()
    alice.page.goto(address)
    alice.is_live()


def nonsense(alice, bob, stack):
    """A server answers HTML to everything: the page says so and does not ask in a loop."""
    answers = {"status": 200, "content_type": "text/html", "headers": {"Access-Control-Allow-Origin": "*"}, "body": "<h1>Hello"}
    page = alice.open_tab()
    page.route(re.compile(r"/api/v1/|/sse/"), lambda route: route.fulfill(**answers))
    page.route_web_socket(re.compile("/ws/user"), lambda socket: socket.close(code=1011))
    before = len(alice.requests)
    page.goto(alice.page.url)
    page.wait_for_timeout(5_000)
    asked = [path for _, path in alice.requests[before:] if "/api/" in path or "/sse/" in path]
    assert len(asked) < 40, json.dumps(asked)
    expect(page.locator("#connection")).to_be_visible()
    page.close()


def no_site_data(alice, bob, stack, browser):
    """Site data blocked: the page starts, and works as long as it is open."""
    from person import Person
    blocked = """
      const refuse = () => { throw new DOMException('blocked', 'SecurityError') }
      for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get: refuse })
      IDBFactory.prototype.open = refuse"""
    carol = Person(browser, stack, "carol", alice.folder, scripts=[blocked])
    carol.register("Carol")
    assert not carol.errors, carol.errors
    carol.create_room("Without a trace")
    carol.say("It works")
    carol.sees(["It works"])
    expect(carol("#connection")).to_contain_text("keeps nothing")
    assert not carol.errors, carol.errors
    carol.close()

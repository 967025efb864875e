"""Steps of scripts/web-client about reading: what is new, where one is, what calls for attention."""

import re
import time

from playwright.sync_api import expect

from person import WATCH_BADGES
from web_files import choose
from web_writing import png


def post(stack, token, room_id, texts):
    for text in texts:
        stack.json("message", "POST", "/api/v1/messages", {
            "roomId": room_id, "messageType": "text", "payload": {"text": text}}, token=token)


def at_end(person):
    return person.page.evaluate("""() => {
      const { scrollTop, scrollHeight, clientHeight } = document.querySelector('#scroller')
      return scrollHeight - scrollTop - clientHeight < 41
    }""")


def typing_and_read(alice, bob, stack):
    bob.page.bring_to_front()
    # Servers tell what one user types at most twice a second.
    bob.page.wait_for_timeout(600)
    bob("#text").press_sequentially("abc")
    expect(alice("#typing")).to_contain_text("is typing")
    bob("#text").fill("")
    expect(alice("#typing")).to_have_text("")
    alice.say("Read me")
    bob.sees(["Read me"])
    bob("#text").focus()
    expect(alice("#log .readers")).to_contain_text("Read by")


def unread(alice, bob, stack):
    """A room with 60 unread messages opens at the line before the first; only visible messages become read."""
    bob.create_room("Elsewhere")
    bob.is_live()
    post(stack, alice.token, alice.room, [f"Unread {index}" for index in range(60)])
    entry = bob("#room-list a").filter(has_text="Lobby")
    expect(entry.locator(".badge")).to_contain_text("60")
    assert bob.page.title().startswith("(60) "), bob.page.title()
    assert bob("#icon").get_attribute("href") == "/web/icon-unread.svg"
    entry.click()
    expect(bob("#log .new")).to_be_visible()
    assert not at_end(bob)
    expect(bob("#log .new + .message .body")).to_have_text("Unread 0")
    expect(bob("#to-end")).to_be_visible()
    # On the screen some 10 of them are read, the others are not.
    expect(bob("#to-end-text")).to_have_text(re.compile(r"^(?:4\d|5\d) new messages$"))
    bob.picture("unread")
    bob("#to-end").click()
    expect(bob("#to-end")).to_be_hidden()
    expect(entry.locator(".badge")).to_have_count(0)
    expect(bob("#log .message .body").last).to_have_text("Unread 59")
    bob.until("the title", "() => !document.title.startsWith('(')")


def badge(alice, bob, stack):
    """The room that the user is looking at never shows a badge."""
    bob.page.bring_to_front()
    bob("#text").focus()
    bob.page.evaluate(WATCH_BADGES)
    texts = [f"No badge {index}" for index in range(10)]
    for text in texts:
        alice.say(text)
    bob.sees(texts)
    # What Bob has read has been at the server meanwhile, and has come back.
    expect(alice("#log .message").last.locator(".readers")).to_contain_text("Read by")
    assert bob.page.evaluate("badges") == [], bob.page.evaluate("badges")
    assert at_end(bob)


def newer(alice, bob, stack):
    """Scrolled up: new messages are counted, do not move what one reads, and without any there is no count."""
    bob("#scroller").hover()
    bob.page.mouse.wheel(0, -700)
    expect(bob("#to-end")).to_be_visible()
    expect(bob("#to-end-text")).to_have_text("Jump to newest")
    first = "() => [...document.querySelectorAll('#log .message')].map(row => [row.dataset.key, Math.round(row.getBoundingClientRect().top)]).find(row => row[1] > 60)"
    bob.is_still()
    before = bob.page.evaluate(first)
    for index in range(3):
        alice.say(f"Newer {index}")
    expect(bob("#to-end-text")).to_have_text("3 new messages")
    assert bob.page.evaluate(first) == before, (bob.page.evaluate(first), before)
    bob("#to-end").click()
    expect(bob("#to-end")).to_be_hidden()
    bob.sees(["Newer 0", "Newer 1", "Newer 2"])


def away(alice, bob, stack):
    """Messages that arrive while the user is away follow a line, which stays on the screen until the user returns."""
    bob.page.evaluate("""() => {
      document.hasFocus = () => window.isLookedAt ?? false
      window.dispatchEvent(new Event('blur'))
    }""")
    post(stack, alice.token, alice.room, [f"While away {index}" for index in range(50)])
    expect(bob("#log .new + .message .body")).to_have_text("While away 0")
    expect(bob("#to-end-text")).to_have_text("50 new messages")
    assert bob("#log .new").evaluate("line => line.getBoundingClientRect().top > 60")
    bob.page.evaluate("() => { window.isLookedAt = true; window.dispatchEvent(new Event('focus')) }")
    expect(bob("#to-end-text")).to_have_text(re.compile("^3\\d new messages$|^4\\d new messages$"))
    bob("#to-end").click()
    expect(bob("#to-end")).to_be_hidden()


def links(alice, bob, stack):
    """Addresses of rooms and messages; the way back."""
    alice.context.grant_permissions(["clipboard-read", "clipboard-write"])
    alice.do("Newer 0", "Copy")
    alice.until("the copy", "async () => await navigator.clipboard.readText() === 'Newer 0'")
    alice.do("Newer 0", "Copy link")
    alice.until("the link", r"async () => /#\/rooms\/[^/]+\/\d+$/.test(await navigator.clipboard.readText())")
    link = alice.page.evaluate("navigator.clipboard.readText()")
    post(stack, alice.token, alice.room, [f"After the link {index}" for index in range(80)])
    bob.sees(["After the link 79"])
    tab = bob.open_tab()
    tab.goto(link)
    expect(tab.locator("#log .marked .body")).to_have_text("Newer 0")
    tab.close()
    address = bob.page.url
    bob("#room-list a").filter(has_text="Elsewhere").click()
    expect(bob("#room-name")).to_have_text("Elsewhere")
    bob.page.go_back()
    expect(bob("#room-name")).to_have_text("Lobby")
    assert bob.page.url == address


def search(alice, bob, stack):
    """Ctrl+K: one's own rooms at once, without Join for what one is in; public ones and people below."""
    stack.json("system", "POST", "/api/v1/rooms", {"name": "Lounge", "type": "public"}, token=alice.token)
    bob.page.keyboard.press("Control+k")
    expect(bob("#search")).to_be_focused()
    bob.page.keyboard.type("elsew")
    expect(bob.page.get_by_role("option")).to_have_count(1)
    bob.page.keyboard.press("Enter")
    expect(bob("#room-name")).to_have_text("Elsewhere")
    bob.page.keyboard.press("Control+k")
    bob.page.keyboard.type("lo")
    expect(bob.page.get_by_role("option", name="Join Lounge")).to_be_visible()
    expect(bob.page.get_by_role("option", name="Join Lobby", exact=True)).to_have_count(0)
    bob.picture("search")
    bob.page.keyboard.press("Escape")
    bob.page.keyboard.press("Control+k")
    bob.page.keyboard.type("zzzz")
    expect(bob("#search-empty")).to_have_text("Nothing found.")
    bob.page.keyboard.press("Escape")
    bob("#room-list a").filter(has_text="Lobby").click()
    expect(bob("#room-name")).to_have_text("Lobby")


def notifications(alice, bob, stack, browser):
    from person import Person
    stub = """
      window.shown = []
      window.Notification = class { static permission = 'granted'
        static async requestPermission() { return 'granted' }
        constructor(title, options) { window.shown.push([title, options.body]) } close() {} }"""
    finn = Person(browser, stack, "finn", alice.folder, scripts=[stub])
    finn.register("Finn")
    finn.join("Lobby")
    finn("#open-settings").click()
    finn("#pick-notifications").check()
    finn("#settings-dialog .close").click()
    finn.create_room("Away")
    alice.say("Finn, are you there?")
    finn.until("a notification", "() => shown.length > 0")
    assert finn.page.evaluate("shown") == [["Alice · Lobby", "Finn, are you there?"]], finn.page.evaluate("shown")
    choose(alice, ("here.png", "image/png", png(30, 20)))
    alice("#send").click()
    finn.until("a notification of the picture", "() => shown.length > 1")
    assert finn.page.evaluate("shown.at(-1)") == ["Alice · Lobby", "Picture"], finn.page.evaluate("shown")
    assert not finn.errors, finn.errors
    finn.close()

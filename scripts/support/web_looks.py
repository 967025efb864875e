"""Steps of scripts/web-client about how the page looks, sounds, is reached by keys, and how fast it is."""

import re
import threading
import time

from playwright.sync_api import expect

import web_files
from person import PHONE, SIZE, Person
from stack import PASSWORD, environment_with

MESSAGES = 10_000
# Chromium's own "Fast 3G".
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
FRAMES = 240
SCROLL = """async pixels => {
  const scroller = document.querySelector('#scroller'), frames = []
  let last = performance.now(), moved = 0
  await new Promise(resolve => {
    const step = now => {
      frames.push(now - last)
      last = now
      scroller.scrollTop -= pixels
      moved += 1
      if (moved < FRAMES) requestAnimationFrame(step)
      else resolve()
    }
    requestAnimationFrame(step)
  })
  frames.sort((a, b) => a - b)
  return { median: frames[frames.length >> 1], p95: frames[Math.floor(frames.length * 0.95)], worst: frames.at(-1) }
}""".replace("FRAMES", str(FRAMES))


def keyboard(alice, bob, stack):
    """The list is one tab stop; arrows move through messages and their buttons; only new messages are read out."""
    alice("#room-list a").filter(has_text="Lobby").first.click()
    expect(alice("#room-name")).to_have_text("Lobby")
    alice.is_live()
    # The page is live while the room's messages are still on their way.
    expect(alice("#log [tabindex='0']")).to_have_count(1)
    assert alice.page.evaluate("[...document.querySelectorAll('#log a, #log button')].every(each => each.tabIndex === -1)")
    alice("#text").focus()
    alice.page.keyboard.press("Shift+Tab")
    alice.page.keyboard.press("ArrowUp")
    alice.page.keyboard.press("ArrowUp")
    expect(alice("#log .message:focus")).to_have_count(1)
    alice.page.keyboard.press("ArrowRight")
    expect(alice("#log .message :focus")).to_have_count(1)
    alice.page.keyboard.press("Escape")
    alice.page.keyboard.press("Home")
    # Older messages that come now move nothing.
    expect(alice("#log .message:focus")).to_have_count(1)
    expect(alice("#history-trouble")).not_to_have_text("Loading…")
    expect(alice("#log .message:focus")).to_have_count(1)
    # Within the page: the row's element is replaced when an older message of the same sender comes above it.
    assert alice.page.evaluate("document.querySelector('#log .message:focus').getBoundingClientRect().top") < SIZE["height"]
    alice.page.keyboard.press("End")
    expect(alice("#log [tabindex='0']")).to_have_count(1)
    alice.page.keyboard.press("Escape")
    expect(alice("#text")).to_be_focused()
    assert alice("#log").evaluate("list => list.tagName") == "OL" and alice("#log").get_attribute("role") is None
    dora = stack.user("reader-of-news")
    stack.json("system", "POST", f"/api/v1/rooms/{alice.room}/join", {}, token=dora["token"])
    stack.json("message", "POST", "/api/v1/messages", {
        "roomId": alice.room, "messageType": "text", "payload": {"text": "**News** for you"}}, token=dora["token"])
    expect(alice("#announcer p").last).to_contain_text("News for you")
    assert alice("#announcer button, #announcer a").count() == 0


def accessible(alice, bob, stack):
    """axe-core finds nothing, in light and dark, in the room, its dialogs and the sign-in."""
    library = environment_with("axe", "axe-playwright-python==0.1.8")
    source = next(library.rglob("axe.min.js")).read_text()
    # Scripts of the page itself are refused by its policy; this one comes from outside.
    for scheme in ("light", "dark"):
        alice.page.emulate_media(color_scheme=scheme)
        clean(alice, source, f"room, {scheme}")
        for button, dialog in (("#open-settings", "#settings-dialog"), ("#new-room", "#new-room-dialog"),
                               ("#show-members", "#members-dialog")):
            alice(button).click()
            alice.is_still()
            clean(alice, source, f"{dialog}, {scheme}")
            alice(f"{dialog} .close").click()
        alice("#open-emoji").click()
        clean(alice, source, f"emoji, {scheme}")
        alice.page.keyboard.press("Escape")
        with alice.page.expect_response(re.compile("/rooms/public")), alice.page.expect_response(re.compile(r"/users\?")):
            alice("#search").fill("lobby")
        expect(alice.page.get_by_role("option").first).to_be_visible()
        alice.is_still()
        clean(alice, source, f"search, {scheme}")
        alice("#search").press("Escape")
        # Files that wait, one of which cannot be sent; a picture, and the viewer.
        web_files.choose(alice, ("meadow.png", "image/png", web_files.png(700, 500)), ("empty.txt", "text/plain", b""))
        expect(alice("#tray > li")).to_have_count(2)
        clean(alice, source, f"tray, {scheme}")
        alice("#send").click()
        expect(alice("#log .waiting")).to_have_count(0)
        alice("#tray button").click()
        alice("#log .picture").last.click()
        clean(alice, source, f"viewer, {scheme}")
        alice.page.keyboard.press("Escape")
    alice.picture("dark")
    alice.page.emulate_media(color_scheme="light")
    guest = bob.context.browser.new_context(locale="en-US").new_page()
    guest.goto(stack.page)
    guest.locator("#username").wait_for()
    clean(guest, source, "sign-in")
    guest.context.close()


def clean(where, source, name):
    page = getattr(where, "page", where)
    # Colours that are still changing are judged as they are at the moment.
    page.evaluate("Promise.allSettled(document.getAnimations().map(each => each.finished))")
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": source})
    result = session.send("Runtime.evaluate", {
        "expression": "axe.run(document, {resultTypes: ['violations']}).then(all => JSON.stringify(all.violations.map("
                      "each => [each.id, each.help, each.nodes.slice(0, 3).map(node => node.html.slice(0, 200) + node.failureSummary)])))",
        "awaitPromise": True, "returnByValue": True})
    found = result["result"].get("value", result)
    assert found == "[]", f"{name}: {found}"
    session.detach()


def phone(alice, bob, stack, browser):
    """One thing at a time, Enter breaks the line, and a button sends."""
    gail = Person(browser, stack, "gail", alice.folder, viewport=PHONE, has_touch=True, is_mobile=True)
    gail.register("Gail", f"/#/rooms/{alice.room}")
    gail("#join-room").click()
    gail.is_live()
    gail("#text").press_sequentially("first line")
    gail("#text").press("Enter")
    gail("#text").press_sequentially("second line")
    expect(gail("#text")).to_have_value("first line\nsecond line")
    gail("#send").click()
    gail.sees(["first line\nsecond line"])
    web_files.choose(gail, ("cat.png", "image/png", web_files.png(900, 600)), *(
        (f"a-very-long-name-of-a-document-{index}.pdf", "application/pdf", b"%PDF-1.4") for index in range(3)))
    expect(gail("#tray > li")).to_have_count(4)
    gail.picture("phone-tray")
    gail.fits()
    gail("#tray button").last.click()
    gail("#send").click()
    expect(gail("#log .file .name")).to_have_count(2)
    expect(gail("#log .waiting")).to_have_count(0)
    gail.fits()
    gail.picture("phone-room")
    gail("#back").click()
    expect(gail("#room-list a")).to_have_count(1)
    expect(gail("#open-room")).to_be_hidden()
    gail.picture("phone-rooms")
    gail.page.go_back()
    expect(gail("#room-name")).to_have_text("Lobby")
    gail.fits()
    assert not gail.errors, gail.errors
    gail.close()


def korean(alice, bob, stack, browser):
    """Korean by the language of the browser, or by choice."""
    hana = Person(browser, stack, "hana", alice.folder, locale="ko-KR")
    hana.page.goto(stack.page)
    expect(hana("#sign-in-button")).to_have_text("로그인")
    hana.register("김하나", f"/#/rooms/{alice.room}")
    expect(hana("#join-room")).to_have_text("참여")
    hana("#join-room").click()
    hana.is_live()
    hana.say("안녕하세요, 반갑습니다")
    hana.sees(["안녕하세요, 반갑습니다"])
    assert hana.page.evaluate("document.documentElement.lang") == "ko"
    web_files.choose(hana, ("회의록.txt", "text/plain", "안녕".encode()), ("빈 파일.txt", "text/plain", b""))
    expect(hana("#tray-state")).to_have_text("보낼 파일 2개")
    hana("#send").click()
    expect(hana("#tray .error")).to_have_text("빈 파일이에요")
    hana("#tray button").click()
    expect(hana("#room-list .last")).to_contain_text("파일: 회의록.txt")
    expect(hana("#log .waiting")).to_have_count(0)
    hana.picture("korean")
    hana("#open-settings").click()
    hana("#pick-language").select_option("en")
    expect(hana("#settings-title")).to_have_text("Settings")
    hana("#settings-dialog .close").click()
    expect(hana("#text")).to_have_attribute("placeholder", "Write a message")
    expect(hana("#room-state")).to_contain_text("members")
    assert not hana.errors, hana.errors
    hana.close()


def loading(alice, bob, stack, browser):
    """First paint and first message on a slow network with empty caches, and whether requests wait for each other."""
    stack.json("message", "POST", "/api/v1/messages", {
        "roomId": alice.room, "messageType": "text", "payload": {"text": "First message"}}, token=alice.token)
    context = browser.new_context(locale="en-US", viewport=SIZE, storage_state=alice.context.storage_state())
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW)
    start = time.monotonic()
    page.goto(f"{stack.page}/#/rooms/{alice.room}", wait_until="commit")
    page.locator("#log .message").first.wait_for()
    message = time.monotonic() - start
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
    modules = page.evaluate("""() => performance.getEntriesByType('resource').filter(each => /\\.(js|css)$/.test(each.name))
      .map(each => [each.startTime, each.responseEnd, each.transferSize])""")
    begun = max(entry[0] for entry in modules) - min(entry[0] for entry in modules)
    size = sum(entry[2] for entry in modules)
    print(f"    Fast 3G: first paint {paint:.2f} s, first message {message:.2f} s; {len(modules)} files, {size / 1024:.0f} KB,"
          f" begun within {begun:.0f} ms")
    # All are asked for at once: none waits for another to be read.
    assert begun < 1_000, begun
    context.close()


def fill(stack, user, room_id, count):
    """Posts many messages, on several connections."""
    account = {"username": user["username"], "password": PASSWORD}

    def work(first):
        token, until = None, 0
        for index in range(first, count, 6):
            # Tokens live for 20 s here.
            if time.monotonic() > until:
                token = stack.json("system", "POST", "/api/v1/auth/login", account)["accessToken"]
                until = time.monotonic() + 10
            words = " ".join(["words"] * (index * 7 % 40))
            stack.json("message", "POST", "/api/v1/messages", {
                "roomId": room_id, "messageType": "text", "payload": {"text": f"Message {index} {words}"}}, token=token)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def scrolling(alice, bob, stack):
    """A room of 10,000 messages scrolls at 60 frames a second and shows few of them at a time."""
    alice.create_room("Full house")
    room_id = alice.room_id
    user = stack.user()
    stack.json("system", "POST", f"/api/v1/rooms/{room_id}/join", {}, token=user["token"])
    start = time.monotonic()
    fill(stack, user, room_id, MESSAGES)
    print(f"    {MESSAGES} messages stored and received in {time.monotonic() - start:.1f} s")
    alice.until("all are there", "() => +(document.querySelector('#log > li')?.ariaSetSize ?? 0) >= 9990", seconds=60)
    elements = alice.page.evaluate("document.querySelectorAll('#log > li').length")
    assert elements < 200, elements
    session = alice.context.new_cdp_session(alice.page)
    session.send("Performance.enable")

    def busy():
        return {entry["name"]: entry["value"] * 1000 for entry in session.send("Performance.getMetrics")["metrics"]}

    # How fast frames are here where nothing happens.
    idle = alice.page.evaluate(SCROLL, 0)
    before = busy()
    frames = alice.page.evaluate(SCROLL, 160)
    # The CPU time of the page per frame (16.7 ms), independent of the load of the machine.
    after = busy()
    work = {name: (after[name] - before[name]) / FRAMES for name in ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")}
    print(f"    {elements} elements for {MESSAGES} messages; frames: median {frames['median']:.1f} ms, 95 % {frames['p95']:.1f} ms,"
          f" worst {frames['worst']:.1f} ms; of a frame scripts take"
          f" {work['ScriptDuration']:.1f} ms, styles {work['RecalcStyleDuration']:.1f} ms, layout {work['LayoutDuration']:.1f} ms")
    assert frames["median"] < max(17.5, 1.5 * idle["median"]), (frames, idle)
    alice("#to-end").click()
    expect(alice("#to-end")).to_be_hidden()

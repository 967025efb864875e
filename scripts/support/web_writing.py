"""Steps of scripts/web-client about writing and what comes of it."""

import struct
import zlib

from playwright.sync_api import expect


def png(width, height):
    """A picture: a sky over a field."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(
        b"\0" + (bytes((120 + y * 90 // height, 170 + y * 60 // height, 230)) if y < height * 2 // 3 else bytes((90, 140, 70))) * width
        for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = png(640, 400)
# Enter as an input method reports it; `code` 229 alone is Safari's order.
PRESS = """([key, keyCode, isComposing]) => {
  const text = document.querySelector('#text')
  const make = type => new KeyboardEvent(type, { key, keyCode, isComposing, bubbles: true, cancelable: true })
  const isKept = text.dispatchEvent(make('keydown'))
  const input = new InputEvent('beforeinput', { inputType: 'insertLineBreak', bubbles: true, cancelable: true })
  const breaks = isKept && text.dispatchEvent(input)
  text.dispatchEvent(make('keyup'))
  return breaks
}"""


def talking(alice, bob, stack):
    texts = []
    for index in range(3):
        for person in (alice, bob):
            text = f"{person.name} says {index}"
            person.say(text)
            texts.append(text)
            alice.sees(texts)
            bob.sees(texts)
    # Grouped: the second message of one sender has neither name nor picture.
    alice.say("One more")
    alice.say("And one more")
    alice.sees(["One more", "And one more"])
    expect(alice("#log .message").last.locator(".avatar")).to_have_count(0)
    # The last one: another day may have begun.
    expect(alice("#log .day").last).to_have_text("Today")


def marking_up(alice, bob, stack):
    alice.say("**Bold**, *italic*, `code`, ~~gone~~ and [a link](https://example.org/x)\n- one\n- two\n> quoted\n```\n<b>code</b>\n```")
    body = bob("#log .message .body").last
    expect(body.locator("strong")).to_have_text("Bold")
    expect(body.locator("em")).to_have_text("italic")
    expect(body.locator("li")).to_have_count(2)
    expect(body.locator("blockquote")).to_have_text("quoted")
    expect(body.locator("pre")).to_have_text("<b>code</b>")
    expect(body.locator("a")).to_have_attribute("href", "https://example.org/x")
    assert body.locator("a").get_attribute("rel") == "noopener noreferrer nofollow"
    bob.say("I read https://example.com/가이드를, (https://en.wikipedia.org/wiki/Swift_(bird)) and https://example.org。")
    expect(alice("#log .message a").last).to_have_attribute("href", "https://example.org/")
    hrefs = [link.get_attribute("href") for link in alice("#log .message").last.locator("a").all()]
    assert hrefs[1] == "https://en.wikipedia.org/wiki/Swift_(bird)", hrefs
    alice.picture("room")


def attacking(alice, bob, stack):
    text = '<script>hacked=1</script><img src=x onerror="hacked=1"> javascript:hacked=1 [x](javascript:hacked=1)'
    bob.say(text)
    alice.sees([text])
    for person in (alice, bob):
        assert person.page.evaluate("typeof hacked") == "undefined"
        assert person("#log script, #log iframe, #log img").count() == 0
    # Even if the page had a bug, the policy would prevent it.
    refused = alice.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>'; return 'taken' } catch (error) { return error.name } }")
    assert refused == "TypeError", refused
    alice.expect_error("TrustedHTML")


def changing(alice, bob, stack):
    bob.say("Wrog")
    alice.sees(["Wrog"])
    # Only what is stored can be edited.
    bob.sees(["Wrog"])
    # ↑ in an empty field edits the last message.
    bob("#text").press("ArrowUp")
    expect(bob("#text")).to_have_value("Wrog")
    bob("#text").fill("Right")
    bob("#text").press("Enter")
    alice.sees(["Right"])
    expect(alice.message("Right").locator(".below")).to_contain_text("edited")
    alice.do("Right", "Reply")
    alice.picture("reply")
    alice.say("Quite so")
    expect(bob("#log .quote").last).to_contain_text("Right")
    for index in range(25):
        alice.say(f"Filling the page {index}")
    bob.sees([f"Filling the page {index}" for index in range(25)])
    # A reply jumps to what it is about.
    bob("#scroller").evaluate("element => { element.scrollTop -= 500 }")
    quote = bob("#log .quote").last
    quote.scroll_into_view_if_needed()
    quote.click()
    expect(bob("#log .marked .body")).to_contain_text("Right")
    bob.message("Right").hover()
    bob.do("Right", "Delete")
    for person in (alice, bob):
        person("#to-end").click() if person("#to-end").is_visible() else None
    bob.page.evaluate("() => { document.querySelector('#scroller').scrollTop -= 900 }")
    expect(bob("#log .deleted .body")).to_have_text("This message was deleted")
    expect(bob("#log .quote").last).to_contain_text("This message was deleted")
    bob("#to-end").click()


def writing_long(alice, bob, stack):
    """Nothing is cut in silence, characters are counted as servers do, spaces and drafts are kept."""
    text = alice("#text")
    text.fill("a" * 9_000)
    expect(alice("#composer-left")).to_have_text("1000 characters too many")
    expect(alice("#send")).to_be_disabled()
    text.press("Enter")
    assert len(text.input_value()) == 9_000
    alice.picture("too-long")
    text.fill("😀" * 5_000)
    expect(alice("#send")).to_be_enabled()
    text.press("Enter")
    bob.until("5,000 emoji", "() => [...document.querySelectorAll('#log .message .body')].at(-1).innerText.includes('😀'.repeat(5000))")
    alice.say("    four spaces\n  two")
    bob.until("spaces", "() => [...document.querySelectorAll('#log .message p')].at(-1).textContent === '    four spaces\\n  two'")
    text.fill("A draft that outlives a reload")
    alice.page.reload()
    expect(text).to_have_value("A draft that outlives a reload")
    alice.is_live()
    text.fill("")


def composing(alice, bob, stack):
    """Enter that confirms a composition neither sends nor breaks the line, in whatever order browsers say it."""
    text = alice("#text")
    text.fill("안녕")
    for composing_key in (["Enter", 229, True], ["Enter", 229, False]):
        assert alice.page.evaluate(PRESS, composing_key) is False, composing_key
        expect(text).to_have_value("안녕")
    # A composition of the browser's own: the text is not sent before it ends.
    session = alice.context.new_cdp_session(alice.page)
    text.fill("")
    text.focus()
    session.send("Input.imeSetComposition", {"text": "한", "selectionStart": 1, "selectionEnd": 1})
    session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229})
    session.send("Input.insertText", {"text": "한"})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229})
    expect(text).to_have_value("한")
    text.press_sequentially("글")
    text.press("Enter")
    bob.sees(["한글"])


def emoji(alice, bob, stack):
    alice("#text").press_sequentially("Well done :tad")
    expect(alice("#emoji-matches [role=option]").first).to_have_text("🎉 :tada:")
    alice("#text").press("Enter")
    expect(alice("#text")).to_have_value("Well done 🎉 ")
    alice("#text").press_sequentially(":+1:")
    expect(alice("#text")).to_have_value("Well done 🎉 👍")
    alice("#open-emoji").click()
    alice("#emoji-search").fill("rocket")
    alice.picture("emoji")
    alice("#emoji-search").press("Enter")
    expect(alice("#emoji-dialog")).to_be_hidden()
    expect(alice("#text")).to_have_value("Well done 🎉 👍🚀")
    alice("#text").press("Enter")
    expect(alice("#text")).to_have_value("")
    bob.sees(["Well done 🎉 👍🚀"])


def media(alice, bob, stack):
    """Linked pictures and videos have their size before they load, open on a click, and can be turned off."""
    asked = []

    def answer(route):
        asked.append((route.request.url, route.request.headers.get("referer")))
        route.fulfill(content_type="image/png", body=PICTURE)

    for person in (alice, bob):
        person.page.route("https://pictures.example.org/**", answer)
    bob.say("Look: https://pictures.example.org/a.png and https://pictures.example.org/b.mp4")
    picture = alice("#log .media img").last
    expect(picture).to_be_visible()
    alice.until("loaded", "() => [...document.querySelectorAll('#log .media img')].at(-1).naturalWidth > 0")
    # Within the page, since each change of the row replaces its element.
    box = alice.page.evaluate("[...document.querySelectorAll('#log .media button')].at(-1).getBoundingClientRect().toJSON()")
    assert (box["width"], box["height"]) == (320, 192), box
    assert alice("#log .media video").count() == 1
    assert all(referer is None for _, referer in asked), asked
    alice.picture("media")
    alice("#log .media button").last.click()
    expect(alice("#media-picture")).to_be_visible()
    alice.picture("picture")
    alice.page.keyboard.press("Escape")
    expect(alice("#media-picture")).to_be_hidden()
    # Turned off nothing is asked of other hosts.
    alice("#open-settings").click()
    alice("#pick-previews").uncheck()
    alice("#settings-dialog .close").click()
    expect(alice("#log .media")).to_have_count(0)
    asked.clear()
    alice.page.reload()
    alice.is_live()
    expect(alice("#log a").last).to_be_visible()
    assert asked == [], asked
    alice("#open-settings").click()
    alice("#pick-previews").check()
    alice("#settings-dialog .close").click()
    for person in (alice, bob):
        person.say("After the pictures")

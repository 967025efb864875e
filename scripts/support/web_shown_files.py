"""Steps of scripts/web-client about files that were sent: seen large, played, downloaded, disguised."""

import io
import re
import time
import wave

from playwright.sync_api import expect
from person import TIMEOUT_SECONDS

from web_files import choose, last_message, served
from web_writing import png


def viewing(alice, bob, stack):
    """The viewer by the keyboard alone; a picture that is deleted is gone from it."""
    for index, color in enumerate((300, 420, 540)):
        choose(alice, (f"view-{index}.png", "image/png", png(900, color)))
        alice("#send").click()
        expect(bob("#log .picture img").last).to_have_attribute("alt", f"view-{index}.png")
    expect(alice("#log .message.waiting")).to_have_count(0)
    bob("#text").focus()
    bob.page.keyboard.press("Shift+Tab")
    for _ in range(3):
        if bob("#log .message:focus").count():
            break
        bob.page.keyboard.press("Shift+Tab")
    bob.page.keyboard.press("End")
    bob.page.keyboard.press("ArrowRight")
    expect(bob("#log .picture:focus")).to_have_count(1)
    bob.page.keyboard.press("Enter")
    picture, place = bob("#media-picture"), bob("#media-place")
    expect(picture).to_have_attribute("alt", "view-2.png")
    expect(bob("#media-name")).to_have_text("view-2.png")
    bob.until("the whole picture", "() => document.querySelector('#media-picture').naturalWidth === 900")
    expect(place).to_have_text(re.compile(r"^(\d+) of \1$"))
    bob.picture("viewer")
    bob.page.keyboard.press("ArrowLeft")
    expect(picture).to_have_attribute("alt", "view-1.png")
    bob.page.keyboard.press("ArrowRight")
    bob.page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("alt", "view-2.png")
    # The focus stays within.
    for _ in range(6):
        bob.page.keyboard.press("Tab")
        assert bob.page.evaluate("document.activeElement === document.body || document.activeElement.closest('#media-dialog') !== null")
    with bob.page.expect_download() as download:
        bob("#media-download").click()
    assert download.value.suggested_filename == "view-2.png"
    assert download.value.path().read_bytes() == png(900, 540)
    # Deleted meanwhile: the one before is shown.
    message = last_message(stack, bob)
    stack.call("message", "DELETE", f"/api/v1/messages/{message['messageId']}", token=alice.token)
    expect(picture).to_have_attribute("alt", "view-1.png")
    # Offline it says so, and shows the picture as soon as it can.
    bob.context.set_offline(True)
    bob.page.keyboard.press("ArrowLeft")
    picture.dispatch_event("error")
    expect(bob("#media-trouble")).to_have_text("The server cannot be reached. Please try again.")
    bob("#media-download").click()
    bob.hears_toast("The server cannot be reached. Please try again.")
    bob.context.set_offline(False)
    bob.until("the picture after all", "() => document.querySelector('#media-picture').naturalHeight === 300")
    expect(bob("#media-trouble")).to_be_hidden()
    bob.page.keyboard.press("Escape")
    expect(bob("#media-dialog")).to_be_hidden()
    expect(bob("#log .deleted").last).to_be_visible()
    bob.until("the focus is back among the messages", "() => document.activeElement.closest('#scroller') !== null")


def aging(alice, bob, stack):
    """An address that the server refuses is asked for again."""
    refused, asked = [], []

    def age(route):
        path = route.request.url.split("?")[0].rsplit("/", 1)[1]
        if path in refused:
            return route.continue_()
        refused.append(path)
        route.fulfill(status=403, content_type="application/problem+json", body='{"code": "url_expired"}')

    for index in range(3):
        choose(alice, (f"aged-{index}.png", "image/png", png(500, 300 + index)))
        alice("#send").click()
        expect(bob("#log .picture img").last).to_have_attribute("alt", f"aged-{index}.png")
    pattern = re.compile(r"/api/v1/files/[^/?]+\?.*signature=")
    tab = bob.open_tab()
    tab.route(pattern, age)
    tab.on("request", lambda request: asked.append(request.url) if "/files?ids=" in request.url else None)
    tab.goto(bob.page.url)
    expect(tab.locator("#log .picture img").last).to_have_attribute("alt", "aged-2.png")
    deadline = time.monotonic() + 20
    while not tab.evaluate("() => [...document.querySelectorAll('#log .picture img')].slice(-3).every(img => img.naturalWidth > 0)"):
        assert time.monotonic() < deadline, (refused, asked)
        tab.wait_for_timeout(50)
    assert len(refused) >= 3 and len(asked) <= 1 + len(refused), (refused, asked)
    assert tab.locator("#log .broken").count() == 0
    tab.close()
    bob.errors = [error for error in bob.errors if "403" not in error]


def silence(seconds):
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(16_000 * seconds))
    return sound.getvalue()


def playing(alice, bob, stack):
    """A sound is played in place, from this browser and from the server, and goes on when its message is drawn again."""
    choose(alice, ("tone.wav", "audio/wav", silence(1)))
    alice("#send").click()
    for person in (alice, bob):
        expect(person("#log .audio figcaption").last).to_have_text("tone.wav")
        person.until("the length of the sound", "() => [...document.querySelectorAll('#log audio')].at(-1)?.duration === 1")
    bob("#log audio").last.evaluate("audio => { audio.muted = true; return audio.play() }")
    bob.until("the end of the sound", "() => [...document.querySelectorAll('#log audio')].at(-1).ended")
    choose(alice, ("long.wav", "audio/wav", silence(60)))
    alice("#send").click()
    bob.until("the length of the long sound", "() => [...document.querySelectorAll('#log audio')].at(-1)?.duration === 60")
    bob("#log audio").last.evaluate("""audio => {
      window.playing = audio
      window.pauses = 0
      audio.addEventListener('pause', () => { window.pauses += 1 })
      window.rowOfSound = audio.closest('#log > li')
      audio.muted = true
      return audio.play()
    }""")
    bob.until("some of it", "() => window.playing.currentTime > 0.2")
    # Its message is drawn again.
    bob("#open-settings").click()
    bob("#pick-previews").uncheck()
    bob.until("another element for the row", "() => !window.rowOfSound.isConnected && window.playing.isConnected")
    at = bob.page.evaluate("window.playing.currentTime")
    bob.until("it goes on", f"() => window.playing.currentTime > {at} + 0.2")
    assert bob.page.evaluate("window.pauses === 0 && !window.playing.paused")
    bob("#pick-previews").check()
    bob("#settings-dialog .close").click()
    bob("#log audio").last.evaluate("audio => audio.pause()")
    # What the browser cannot play can be downloaded.
    choose(alice, ("broken.wav", "audio/wav", b"RIFF\x80\0\0\0WAVEfmt " + bytes(range(100))))
    alice("#send").click()
    for person in (alice, bob):
        expect(person("#log .message").last.locator(".file .name")).to_have_text("broken.wav")
        expect(person("#log .message").last.locator("audio, .gone")).to_have_count(0)


def disguised(alice, bob, stack):
    """HTML named .png is a download; a name with direction marks is shown without them; a deleted file is reported."""
    choose(alice, ("trick.png", "image/png", b"<!doctype html><script>hacked = 1</script>"))
    alice("#send").click()
    link = bob("#log .message .file").last
    expect(link.locator(".name")).to_have_text("trick.png")
    headers, _ = served(stack, bob, re.search(r'"fileId":"([^"]+)"', last_message(stack, bob)["contentJson"])[1])
    assert headers["Content-Disposition"].startswith("attachment"), headers
    assert headers["Content-Type"] == "application/octet-stream" and headers["X-Content-Type-Options"] == "nosniff"
    pages = len(bob.context.pages)
    with bob.page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "trick.png"
    # The tab that Chromium may open for the link closes by itself, and shows nothing.
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while len(bob.context.pages) != pages:
        assert time.monotonic() < deadline, bob.context.pages
        bob.page.wait_for_timeout(50)
    expect(alice("#log .message .file .name").last).to_have_text("trick.png")
    choose(alice, ("photo\u202egnp.exe", "application/octet-stream", b"MZ"))
    expect(alice("#tray .name")).to_have_text("photognp.exe")
    alice("#send").click()
    expect(bob("#log .message .file .name").last).to_have_text("photognp.exe")
    choose(alice, ("שלום עולם.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n"))
    alice("#send").click()
    expect(bob("#log .message .file .name").last).to_have_text("שלום עולם.pdf")
    expect(bob("#log .message .file .sheet").last).to_have_text("PDF")
    alice.picture("files")
    # Deleted: gone, for whoever has the address, too.
    address = bob("#log .message .file").last.get_attribute("href")
    alice("#log .message").last.hover()
    alice("#log .message").last.get_by_role("button", name="Delete", exact=True).click()
    expect(bob("#log .message").last).to_have_class(re.compile("deleted"))
    assert bob.page.request.get(address).status == 404
    assert bob("#log .message").last.locator(".file").count() == 0
    for person in (alice, bob):
        assert person.page.evaluate("typeof hacked") == "undefined"
        person.say(f"{person.name}: after the files")

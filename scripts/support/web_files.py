"""Steps of scripts/web-client about files: sent, shown, refused, cut off."""

import base64
import re
import time

from playwright.sync_api import expect

from web_writing import png

# What a message server of these steps takes at most.
MOST_BYTES = 2 * 1024 * 1024
PLACE = b"52 31 12 N 13 24 36 E"
# Makes files of `[name, type, base64]`, and hands them to the page as a browser does.
FILES = """const files = given.map(([name, type, text]) => new File([Uint8Array.from(atob(text), sign => sign.charCodeAt(0))], name, { type }))
  const data = new DataTransfer()
  for (const file of files) data.items.add(file)"""
PASTE = f"""given => {{
  {FILES}
  const target = document.activeElement.closest('#open-room') ? document.activeElement : document.querySelector('#text')
  return target.dispatchEvent(new ClipboardEvent('paste', {{ clipboardData: data, bubbles: true, cancelable: true }}))
}}"""
DRAG = f"""([type, selector, given]) => {{
  {FILES}
  const target = document.querySelector(selector)
  return target.dispatchEvent(new DragEvent(type, {{ dataTransfer: data, bubbles: true, cancelable: true }}))
}}"""
JPEG = """async ([width, height]) => {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d')
  const sky = context.createLinearGradient(0, 0, 0, height)
  sky.addColorStop(0, '#7fb2e5'); sky.addColorStop(0.6, '#f5d9a8'); sky.addColorStop(0.61, '#5d8a4c'); sky.addColorStop(1, '#37602f')
  context.fillStyle = sky
  context.fillRect(0, 0, width, height)
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg' })).arrayBuffer())
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}"""


def jpeg(person, width, height):
    """A photograph with the place where it was taken, as cameras write it."""
    bytes_ = base64.b64decode(person.page.evaluate(JPEG, [width, height]))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\0\0\0\0\0\0\0\0" + PLACE
    return bytes_[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + bytes_[2:]


def given(*files):
    return [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]


def paste(person, *files):
    """Pastes files. Returns whether the browser would have pasted something itself, too."""
    person("#text").focus()
    return person.page.evaluate(PASTE, given(*files))


def choose(person, *files):
    person("#choose-files").set_input_files([
        {"name": name, "mimeType": kind, "buffer": content} for name, kind, content in files])


def served(stack, person, file_id, path=""):
    """The bytes of a file, or what is known of it, as the server gives them."""
    import urllib.request
    request = urllib.request.Request(
        f"{stack.place['message']}/api/v1/files/{file_id}{path}", headers={"Authorization": f"Bearer {person.token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers, answer.read()


def last_message(stack, person):
    page = stack.json("message", "GET", f"/api/v1/rooms/{person.room_id}/messages?limit=1", token=person.token)
    return page["items"][0]


def pasting(alice, bob, stack):
    """A picture that Alice pastes is seen by Bob within 2 s of its message; the place in it goes to nobody."""
    photograph = jpeg(alice, 1600, 1200)
    assert PLACE in photograph
    assert paste(alice, ("meadow.jpg", "image/jpeg", photograph)) is False
    expect(alice("#tray > li")).to_have_count(1)
    expect(alice("#tray .name")).to_have_text("meadow.jpg")
    alice("#text").fill("Look, **a meadow**")
    alice.picture("tray")
    posted = []
    alice.page.on("requestfinished", lambda request: posted.append(time.monotonic()) if request.method == "POST" and request.url.endswith("/messages") else None)
    alice("#text").press("Enter")
    expect(alice("#tray")).to_be_hidden()
    expect(alice("#text")).to_have_value("")
    picture = bob("#log .picture img").last
    expect(picture).to_have_attribute("alt", "meadow.jpg")
    bob.until("the picture", "() => [...document.querySelectorAll('#log .picture img')].at(-1).naturalWidth > 0")
    shown = time.monotonic()
    print(f"    seen {shown - posted[-1]:.2f} s after the post")
    assert shown - posted[-1] < 2, shown - posted[-1]
    # What is shown in the list is the small one; its place was there before it.
    assert picture.evaluate("img => img.naturalWidth") == 320
    assert bob("#log .picture").last.evaluate("node => [node.offsetWidth, node.offsetHeight]") == [320, 240]
    expect(bob("#log .message").last.locator("strong")).to_have_text("a meadow")
    message = last_message(stack, bob)
    assert message["messageType"] == "image", message
    file_id = re.search(r'"fileId":"([^"]+)"', message["contentJson"])[1]
    headers, content = served(stack, bob, file_id)
    assert PLACE not in content and b"Exif" not in content and content[:2] == b"\xff\xd8"
    assert headers["Content-Type"] == "image/jpeg"
    # One's own is shown from this page, before and after it is stored.
    expect(alice("#log .picture img").last).to_have_attribute("src", re.compile("^blob:"))

"""A user at a browser, in the words of the steps of scripts/web-client."""

import json
import re
import time
from urllib.parse import urlsplit

from playwright.sync_api import expect

from stack import PASSWORD

TEXTS = "#log .message:not(.deleted) .body"
# A page that was cut off for a while tries again after up to 30 s.
TIMEOUT_SECONDS = 60
SIZE = {"width": 1100, "height": 750}
PHONE = {"width": 390, "height": 780}
# Records every text of the badges in the room list, even one that is shown for a single frame.
WATCH_BADGES = """() => {
  window.badges = []
  new MutationObserver(() => {
    for (const badge of document.querySelectorAll('#room-list .badge')) window.badges.push(badge.textContent)
  }).observe(document.querySelector('#room-list'), { childList: true, subtree: true, characterData: true })
}"""
# A toast is shown for three seconds: it may be gone when the test looks.
WATCH_TOASTS = """addEventListener('DOMContentLoaded', () => {
  window.toasts = []
  const toast = document.querySelector('#toast')
  if (toast) new MutationObserver(() => window.toasts.push(toast.textContent)).observe(toast, { childList: true })
})"""
expect.set_options(timeout=TIMEOUT_SECONDS * 1000)


class Person:
    """A user at a browser of their own."""

    def __init__(self, browser, stack, name, folder, scripts=(), **options):
        self.stack, self.name, self.folder = stack, name, folder
        self.context = browser.new_context(**{"viewport": SIZE, "locale": "en-US", **options})
        for script in (WATCH_TOASTS, *scripts):
            self.context.add_init_script(script)
        self.errors, self.requests, self.sockets = [], [], 0
        self.page = self.open_tab()

    def open_tab(self):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(f"{error} {error.stack}"))
        page.on("console", self.note)
        page.on("dialog", lambda dialog: dialog.accept())
        page.on("websocket", lambda _: setattr(self, "sockets", self.sockets + 1))
        page.on("request", lambda request: self.requests.append((request.method, urlsplit(request.url).path)))
        return page

    def note(self, message):
        # Unreachable and busy servers are the subject of some steps.
        if message.type == "error" and not re.search(
                r"ERR_|WebSocket connection|status of (?:40[14]|429|5\d\d)", message.text):
            self.errors.append(message.text)

    def expect_error(self, text):
        """Removes an error that the step has caused on purpose."""
        expected = [error for error in self.errors if text in error]
        assert len(expected) == 1, self.errors
        self.errors.remove(expected[0])

    def count(self, pattern):
        """How many requests went to paths that match."""
        return sum(1 for _, path in self.requests if re.search(pattern, path))

    def has_asked(self, pattern, count, seconds=TIMEOUT_SECONDS):
        """Waits until so many requests went to paths that match."""
        deadline = time.monotonic() + seconds
        while self.count(pattern) < count:
            assert time.monotonic() < deadline, f"{self.name}: {self.count(pattern)} requests to {pattern}, not {count}"
            self.page.wait_for_timeout(50)

    def __call__(self, selector):
        return self.page.locator(selector)

    def register(self, display_name, address="/"):
        self.page.goto(self.stack.page + address)
        self("#sign-in-other").click()
        self("#username").fill(self.name)
        self("#display-name").fill(display_name)
        self("#password").fill(PASSWORD)
        self("#sign-in-button").click()
        expect(self("#sign-in")).to_be_hidden()

    def sign_in(self, name=None):
        self("#username").fill(name or self.name)
        self("#password").fill(PASSWORD)
        self("#sign-in-button").click()
        expect(self("#sign-in")).to_be_hidden()

    @property
    def token(self):
        """An access token of the user, for calls beside the page."""
        account = {"username": self.name, "password": PASSWORD}
        return self.stack.json("system", "POST", "/api/v1/auth/login", account)["accessToken"]

    @property
    def room_id(self):
        return urlsplit(self.page.url).fragment.removeprefix("/rooms/").split("/")[0]

    def create_room(self, name, kind="public"):
        self("#new-room").click()
        self("#new-room-name").fill(name)
        self("#new-room-type").select_option(kind)
        self("#new-room-make").click()
        expect(self("#room-name")).to_have_text(name)
        self.is_live()

    def join(self, name):
        self("#search").fill(name)
        self.page.get_by_role("option", name=f"Join {name}", exact=True).click()
        expect(self("#room-name")).to_have_text(name)
        self.is_live()

    def say(self, text):
        self("#text").fill(text)
        self("#text").press("Enter")

    def message(self, text):
        words = self.page.locator(".body > p").filter(has_text=re.compile(f"^{re.escape(text)}$"))
        return self.page.locator("#log .message", has=words).last

    def do(self, text, tool):
        """Uses a button of a message."""
        self.message(text).hover()
        self.message(text).get_by_role("button", name=tool, exact=True).click()

    def texts(self):
        return [text.strip() for text in self(TEXTS).all_inner_texts()]

    def picture(self, name):
        self.page.screenshot(path=self.folder / f"{name}.png")

    def is_live(self):
        expect(self("#chat")).to_have_attribute("data-state", "live")
        expect(self("#composer")).to_be_visible()

    def sees(self, texts):
        """Waits until the log ends with these texts, in this order."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.texts()[-len(texts):] != texts or self("#log .waiting").count():
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} sees {[text[:60] for text in self.texts()[-len(texts) - 3:]]}, not {[text[:60] for text in texts]}")
            self.page.wait_for_timeout(50)

    def until(self, what, script, seconds=TIMEOUT_SECONDS):
        """Waits until a script of the page says true."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(script):
            assert time.monotonic() < deadline, f"{self.name}: {what}"
            self.page.wait_for_timeout(30)

    def hears_toast(self, words):
        self.until(f"the toast: {words}", f"toasts.includes({json.dumps(words)})")

    def fits(self):
        """Asserts that nothing is wider than the screen."""
        width = self.page.evaluate("Math.max(document.documentElement.scrollWidth, document.querySelector('#scroller').scrollWidth)")
        assert width <= self.page.viewport_size["width"], width

    def is_still(self, selector="#scroller"):
        """Waits until nothing is animated, and what is scrolled has come to rest."""
        self.until("rest", f"""async () => {{
          const scroller = document.querySelector('{selector}'), before = scroller.scrollTop
          await new Promise(resolve => setTimeout(resolve, 80))
          return scroller.scrollTop === before && document.getAnimations().length === 0
        }}""")

    def close(self):
        self.context.close()

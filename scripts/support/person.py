"""A user at a browser, in the words of the steps of scripts/web-client."""

import re
import time

from playwright.sync_api import expect

from stack import PASSWORD

TEXTS = "#log .message:not(.deleted) .bubble"
TIMEOUT_SECONDS = 20
expect.set_options(timeout=TIMEOUT_SECONDS * 1000)


class Person:
    """A user at a browser of their own."""

    def __init__(self, browser, stack, name, folder):
        self.stack, self.name, self.folder = stack, name, folder
        self.page = browser.new_context(viewport={"width": 1100, "height": 750}).new_page()
        self.errors, self.refreshes, self.sockets = [], 0, 0
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.note)
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.page.on("websocket", lambda _: setattr(self, "sockets", self.sockets + 1))
        self.page.on("request", lambda request: setattr(
            self, "refreshes", self.refreshes + request.url.endswith("/auth/refresh")))

    def note(self, message):
        # That a server cannot be reached is what some steps are about.
        if message.type == "error" and not re.search("ERR_CONNECTION|ERR_FAILED|WebSocket connection", message.text):
            self.errors.append(message.text)

    def expect_error(self, text):
        """One that the step has brought about."""
        expected = [error for error in self.errors if text in error]
        assert len(expected) == 1, self.errors
        self.errors.remove(expected[0])

    def __call__(self, selector):
        return self.page.locator(selector)

    def register(self, display_name):
        self.page.goto(self.stack.place["system"] + "/")
        self("#sign-in-other").click()
        self("#username").fill(self.name)
        self("#display-name").fill(display_name)
        self("#password").fill(PASSWORD)
        self("#sign-in-button").click()
        expect(self("#me")).to_have_text(display_name)

    def say(self, text):
        self("#text").fill(text)
        self("#text").press("Enter")

    def message(self, text):
        return self.page.locator("#log .message", has=self.page.get_by_text(text, exact=True))

    def texts(self):
        return self(TEXTS).all_inner_texts()

    def picture(self, name):
        self.page.screenshot(path=self.folder / f"{name}.png")

    def is_live(self):
        expect(self("#room-state")).to_have_text(re.compile("member"))

    def sees(self, texts):
        """All of these, once each, in this order, as the end of the log."""
        expect(self(TEXTS).last).to_have_text(texts[-1])
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.texts()[-len(texts):] != texts or self("#log .sending, #log .sent").count():
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} sees {self.texts()[-len(texts) - 3:]}, not {texts}")
            self.page.wait_for_timeout(50)

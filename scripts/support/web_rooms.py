"""Steps of scripts/web-client about accounts, rooms and their members."""

import re

from playwright.sync_api import expect

from person import Person
from stack import PASSWORD

BAD_NAME = '<img src=x onerror="hacked=1">'


def registering(alice, bob, stack):
    alice.page.goto(stack.page + "/")
    alice("#sign-in-button").wait_for()
    alice.picture("sign-in")
    alice.register("Alice")
    bob.register("Bob")
    expect(alice("#me")).to_have_text("Alice")
    expect(bob("#me")).to_have_text("Bob")


def joining(alice, bob, stack):
    alice.create_room("Lobby")
    alice.room = alice.room_id
    bob.join("Lobby")
    expect(alice("#log .happened")).to_contain_text("Bob")
    expect(alice("#log .happened")).to_contain_text("joined")


def invitation(alice, bob, stack, browser):
    """A link to a public room shows the room, even right after registration, and lets the user join."""
    dora = Person(browser, stack, "dora", alice.folder)
    dora.register("Dora", f"/#/rooms/{alice.room}")
    expect(dora("#room-name")).to_have_text("Lobby")
    expect(dora("#log .message").first).to_be_visible()
    expect(dora("#no-composer")).to_contain_text("not a member")
    expect(dora("#composer")).to_be_hidden()
    dora.picture("invitation")
    dora("#join-room").click()
    dora.is_live()
    dora.say("Thank you for the invitation")
    alice("#room-list a").filter(has_text="Lobby").click()
    alice.sees(["Thank you for the invitation"])
    # One that is hidden, or is none: the same words.
    dora.page.goto(f"{stack.page}/#/rooms/no-such-room")
    expect(dora("#trouble")).to_contain_text("There is no such room")
    assert not dora.errors, dora.errors
    dora.close()


def joins_are_cheap(alice, bob, stack):
    """A new member causes no request for all members."""
    alice.is_live()
    before = alice.count("/members"), alice.count(r"/users/\d")
    users = [stack.user() for _ in range(12)]
    for user in users:
        stack.json("system", "POST", f"/api/v1/rooms/{alice.room}/join", {}, token=user["token"])
    expect(alice("#log .happened").last).to_contain_text(users[-1]["displayName"])
    assert alice.count("/members") == before[0], alice.requests[-20:]
    assert alice.count(r"/users/\d") - before[1] <= len(users), "a name is asked for once"
    expect(alice("#room-state")).to_have_text(re.compile(r"1\d members"))


def names(alice, bob, stack):
    """Names that are HTML, turn text around, or are nothing but blanks."""
    if alice("#to-end").is_visible():
        alice("#to-end").click()
    for user, name in ((stack.user("markup"), BAD_NAME), (stack.user("turned"), "Eve\u202egnp.exe"),
                       (stack.user("blank"), "\u3164\u3164")):
        stack.call("system", "PATCH", "/api/v1/users/me", {"displayName": name}, token=user["token"])
        stack.json("system", "POST", f"/api/v1/rooms/{alice.room}/join", {}, token=user["token"])
        stack.json("message", "POST", "/api/v1/messages", {
            "roomId": alice.room, "messageType": "text", "payload": {"text": "שלום, world"}}, token=user["token"])
    alice.until("all names", "() => ['<img', 'Eve', 'blank'].every(name =>"
                " [...document.querySelectorAll('#log .sender')].some(each => each.innerText.includes(name)))")
    shown = alice("#log .sender").all_inner_texts()
    assert BAD_NAME in shown and "blank" in shown, shown
    assert alice("#log img, #log script").count() == 0 and alice.page.evaluate("typeof hacked") == "undefined"
    assert "\u202e" not in "".join(shown), shown
    assert all(name.strip("\u3164 \u200b") for name in shown), shown
    assert alice("#log .message .body").last.get_attribute("dir") == "auto"
    alice.picture("right-to-left")


def direct(alice, bob, stack):
    bob("#search").fill("alice")
    bob.page.get_by_role("option", name="Message Alice").click()
    expect(bob("#room-name")).to_have_text("Alice")
    bob.say("Between us")
    bob.sees(["Between us"])
    # It has two members for good, and no name of its own.
    bob("#show-members").click()
    for field in ("#rename-form", "#add-member-field", "#leave"):
        expect(bob(field)).to_be_hidden()
    expect(bob("#member-list li")).to_have_count(2)
    bob("#members-dialog .close").click()
    alice("#room-list a").filter(has_text="Between us").click()
    alice.sees(["Between us"])
    # Two kinds of rooms, since "group" and "private" mean the same to a person.
    alice("#new-room").click()
    expect(alice("#new-room-type option")).to_have_count(2)
    alice("#new-room-name").fill("Quiet place")
    alice("#new-room-type").select_option("private")
    alice("#new-room-people").press_sequentially("bob")
    # Of "b", for which the page may have searched first, there are two.
    expect(alice("#new-room-found button")).to_have_count(1)
    alice("#new-room-found button").click()
    expect(alice("#new-room-chosen li")).to_have_count(1)
    alice.picture("new-room")
    alice("#new-room-make").click()
    expect(alice("#room-name")).to_have_text("Quiet place")
    expect(bob("#room-list a").filter(has_text="Quiet place")).to_have_count(1)
    # Nobody has such a name: said in words.
    alice("#new-room").click()
    alice("#new-room-people").press_sequentially("zzzz")
    expect(alice("#new-room-found")).to_have_text("No matching people.")
    alice("#new-room-dialog .close").click()


def archiving(alice, bob, stack):
    alice.create_room("Short lived")
    alice.say("Soon over")
    alice.sees(["Soon over"])
    alice("#show-members").click()
    alice("#rename").fill("Over soon")
    alice("#rename-button").click()
    expect(alice("#members-title")).to_have_text("Over soon")
    alice.picture("members")
    alice("#archive").click()
    expect(alice("#no-composer")).to_contain_text("archived")
    expect(alice("#composer")).to_be_hidden()
    expect(alice("#room-list a[aria-current=page]")).to_contain_text("Archived")


def removing(alice, bob, stack):
    bob("#room-list a").filter(has_text="Lobby").click()
    bob.is_live()
    alice("#room-list a").filter(has_text="Lobby").click()
    alice("#show-members").click()
    row = alice("#member-list li").filter(has_text="Bob")
    row.get_by_role("button", name=re.compile("^Make admin")).click()
    expect(row).to_contain_text("Admin")
    row.get_by_role("button", name=re.compile("^Remove")).click()
    expect(row).to_have_count(0)
    alice("#members-dialog .close").click()
    expect(bob("#room-notice")).to_contain_text("You are no longer in")
    expect(bob("#composer")).to_be_hidden()
    expect(alice("#log .happened").last).to_contain_text("removed")


def settings(alice, bob, stack):
    alice("#open-settings").click()
    expect(alice("#my-name")).to_have_value("Alice")
    alice.picture("settings")
    alice("#my-name").fill("Alice B.")
    alice("#save-name").click()
    expect(alice("#me")).to_have_text("Alice B.")
    alice("#who-may-add").select_option("nobody")
    expect(alice("#settings-done")).to_have_text("Saved")
    alice("#settings-dialog summary").click()
    alice("#current-password").fill("wrong password")
    alice("#new-password").fill(PASSWORD + "!")
    alice("#change-password").click()
    expect(alice("#settings-error")).not_to_be_empty()
    alice("#current-password").fill(PASSWORD)
    alice("#change-password").click()
    expect(alice("#settings-done")).to_contain_text("password was changed")
    alice("#current-password").fill(PASSWORD + "!")
    alice("#new-password").fill(PASSWORD)
    alice("#change-password").click()
    expect(alice("#new-password")).to_have_value("")
    alice("#settings-dialog .close").click()
    assert alice.token


def signing_out(alice, bob, stack):
    second = alice.open_tab()
    second.goto(alice.page.url)
    expect(second.locator("#me")).to_be_visible()
    for person in (alice, bob):
        person("#open-settings").click()
        person("#sign-out").click()
        expect(person("#username")).to_be_visible()
        # Nothing of the room is left, in the address either.
        assert "#" not in person.page.url, person.page.url
        assert person("#log li, #room-list li").count() == 0
        kept = person.page.evaluate("Object.keys(localStorage).filter(key => /session|draft/.test(key)).length")
        assert kept == 0
    expect(second.locator("#username")).to_be_visible()
    second.close()
    # And in again, at the same page.
    alice.sign_in()
    alice("#room-list a").filter(has_text="Between us").click()
    alice.say("Back again")
    alice.sees(["Between us", "Back again"])

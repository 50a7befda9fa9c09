"""What both peers share: the meeting block of an event found and replaced with icalendar and BeautifulSoup.

It does what a careful script would: recognises Teams, Zoom and Skype for Business by their join links, takes the block out
of the text between its own first and last lines, and out of the HTML as the element around it.
"""

import hashlib
import re

import icalendar
from bs4 import BeautifulSoup

JOIN = re.compile(
    r"https://(?:teams\.microsoft\.com/l/meetup-join/|[\w.-]*zoom\.us/j/|meet\.[\w.-]+/[\w.-]+/)[^\s<>\"]+", re.IGNORECASE)
TEXT_BLOCKS = [
    re.compile(r"_{20,}\nMicrosoft Teams.*?\n_{60,}", re.DOTALL),
    re.compile(r"[^\n]* is inviting you to a scheduled Zoom meeting\..*?(?:zoom\.us/u/\S+|\Z)", re.DOTALL),
    re.compile(r"\.{20,}\n.*?Join Skype Meeting.*?\n\.{20,}", re.DOTALL),
]
HTML_BLOCK = {"class": "me-email-text"}


def new_url(base, old_url):
    """The same room for the same old meeting."""
    return f"{base}/{hashlib.sha256(old_url.encode()).hexdigest()[:32]}"


def rewritten(content, base):
    """The event's bytes with its meeting moved to `base`, or None where no meeting is in it."""
    calendar = icalendar.Calendar.from_ical(content)
    moved = False
    for event in calendar.walk("VEVENT"):
        description = str(event.get("DESCRIPTION", ""))
        found = JOIN.search(description)
        if not found or found[0].startswith(base):
            continue
        url = new_url(base, found[0])
        block = f"________________\nJoin Jitsi Meet\n{url}\n________________"
        for pattern in TEXT_BLOCKS:
            description, count = pattern.subn(lambda _: block, description)
            if count:
                break
        else:
            continue
        event["DESCRIPTION"] = icalendar.vText(description)
        replace_html(event, url)
        for name in list(event.keys()):
            if name.startswith("X-MICROSOFT-SKYPETEAMS") or name.startswith("X-MICROSOFT-ONLINEMEETING"):
                del event[name]
        moved = True
    return calendar.to_ical() if moved else None


def replace_html(event, url):
    html = event.get("X-ALT-DESC")
    if html is None:
        return
    soup = BeautifulSoup(str(html).replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";"), "lxml")
    block = soup.find("div", HTML_BLOCK)
    if block is None:
        return
    new = BeautifulSoup(f'<div><a href="{url}">Join Jitsi Meet</a></div>', "lxml").div
    block.replace_with(new)
    parameters = html.params
    value = icalendar.vText(str(soup))
    value.params = parameters
    event["X-ALT-DESC"] = value

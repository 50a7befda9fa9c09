#!/usr/bin/env python3
"""Moves a user's future meetings on an Exchange server to another platform: what `mms migrate` does, as a script on
exchangelib and BeautifulSoup would.

For every meeting that the user organises in the future: read, find the block, keep the original, write without overwriting,
read back, note the outcome in SQLite. Reads and writes go in bulk.
"""

import argparse
import datetime
import sqlite3

from bs4 import BeautifulSoup
from exchangelib import (
    BASIC, IMPERSONATION, Account, CalendarItem, Configuration, Credentials, EWSTimeZone, HTMLBody, Version)
from exchangelib.extended_properties import ExtendedProperty
from exchangelib.version import EXCHANGE_2016

from rewriting import JOIN, new_url

# What Skype for Business and Teams keep beside the body; the Join button comes from it.
PROPERTIES = ["OnlineMeetingExternalLink", "OnlineMeetingConfLink", "UCMeetingSetting", "UCOpenedConferenceID",
              "SkypeTeamsMeetingUrl", "SkypeTeamsProperties"]
FIELDS = [name.lower() for name in PROPERTIES]
for name in PROPERTIES:
    CalendarItem.register(name.lower(), type(name, (ExtendedProperty,), {
        "distinguished_property_set_id": "PublicStrings", "property_name": name, "property_type": "String"}))


def rewritten(html, base):
    """The body with its meeting moved to `base`, and the old link; None where no meeting is in it."""
    found = JOIN.search(html)
    if not found or found[0].startswith(base):
        return None
    soup = BeautifulSoup(html, "lxml")
    link = next((a for a in soup.find_all("a") if JOIN.search(a.get("href", ""))), None)
    block = link and link.find_parent("div")
    while block is not None and block.parent is not None and block.parent.name == "div":
        block = block.parent
    block = block or (link and link.find_parent("p"))
    if block is None:
        return None
    url = new_url(base, found[0])
    block.replace_with(BeautifulSoup(f'<div><a href="{url}">Join Jitsi Meet</a></div>', "lxml").div)
    return str(soup)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--url", "--user", "--password", "--mailbox", "--journal"):
        parser.add_argument(name, required=True)
    parser.add_argument("--base", default="https://meet.example.org")
    arguments = parser.parse_args()

    journal = sqlite3.connect(arguments.journal)
    journal.execute("CREATE TABLE IF NOT EXISTS journal (id TEXT PRIMARY KEY, state TEXT, original TEXT, written TEXT)")
    configuration = Configuration(
        service_endpoint=arguments.url, credentials=Credentials(arguments.user, arguments.password), auth_type=BASIC,
        version=Version(EXCHANGE_2016))
    account = Account(arguments.mailbox, config=configuration, autodiscover=False, access_type=IMPERSONATION,
                      default_timezone=EWSTimeZone("UTC"))
    now = datetime.datetime.now(datetime.timezone.utc)
    changed = []
    kept = 0
    for folder in [account.calendar, *account.calendar.children]:
        for item in folder.all():
            new = None
            if item.my_response_type == "Organizer" and item.end > now and item.body:
                new = rewritten(str(item.body), arguments.base)
            if new is None:
                kept += 1
                continue
            journal.execute("INSERT OR REPLACE INTO journal VALUES (?, 'planned', ?, ?)", (item.id, str(item.body), new))
            item.body = HTMLBody(new)
            parts = [part.strip() for part in (item.location or "").split(";")]
            parts = ["Jitsi Meet" if "Meeting" in part or JOIN.search(part) else part for part in parts]
            item.location = "; ".join(parts)
            stale = [field for field in FIELDS if getattr(item, field)]
            for field in stale:
                setattr(item, field, None)
            changed.append((item, ["body", "location", *stale]))
    journal.commit()
    account.bulk_update(changed, conflict_resolution="NeverOverwrite",
                        send_meeting_invitations_or_cancellations="SendToNone")
    moved = failed = 0
    for item in account.fetch([(item.id, None) for item, _ in changed], only_fields=["body", "location", *FIELDS]):
        good = arguments.base in str(item.body) and not any(getattr(item, field) for field in FIELDS)
        moved, failed = moved + good, failed + (not good)
        journal.execute("UPDATE journal SET state = ? WHERE id = ?", ("closed" if good else "not verified", item.id))
    journal.commit()
    print(f"{moved} moved, {kept} kept, {failed} failed")


if __name__ == "__main__":
    main()

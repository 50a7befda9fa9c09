#!/usr/bin/env python3
"""Moves a user's future meetings on a CalDAV server to another platform: what `mms migrate` does, as a script on
caldav, icalendar and BeautifulSoup would.

For every meeting that the user organises in the future: read, find the block, keep the original, write under If-Match,
read back, note the outcome in SQLite.
"""

import argparse
import datetime
import re
import sqlite3

import caldav
import icalendar

from rewriting import JOIN, rewritten


def organised_by(content, address):
    for event in icalendar.Calendar.from_ical(content).walk("VEVENT"):
        organizer = str(event.get("ORGANIZER", "")).lower()
        return not organizer or organizer == f"mailto:{address.lower()}"
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--base", default="https://meet.example.org")
    parser.add_argument("--journal", required=True)
    arguments = parser.parse_args()

    journal = sqlite3.connect(arguments.journal)
    journal.execute("CREATE TABLE IF NOT EXISTS journal (href TEXT PRIMARY KEY, state TEXT, original BLOB, written BLOB)")
    client = caldav.DAVClient(url=arguments.url, username=arguments.user, password=arguments.password)
    now = datetime.datetime.now(datetime.timezone.utc)
    moved = kept = failed = 0
    for calendar in client.principal().calendars():
        for event in calendar.search(start=now, event=True, expand=False):
            content = event.data.encode() if isinstance(event.data, str) else event.data
            if not organised_by(content, arguments.address) or not JOIN.search(re.sub(r"\r?\n[ \t]", "", content.decode())):
                kept += 1
                continue
            new = rewritten(content, arguments.base)
            if new is None:
                kept += 1
                continue
            href = str(event.url)
            journal.execute("INSERT OR REPLACE INTO journal VALUES (?, 'planned', ?, ?)", (href, content, new))
            journal.commit()
            etag = event.props.get("{DAV:}getetag")
            headers = {"Content-Type": "text/calendar; charset=utf-8", **({"If-Match": etag} if etag else {})}
            answer = client.put(href, new, headers)
            if answer.status not in (200, 201, 204):
                failed += 1
                continue
            event.load()
            state = "closed" if arguments.base in re.sub(r"\r?\n[ \t]", "", event.data) else "not verified"
            journal.execute("UPDATE journal SET state = ? WHERE href = ?", (state, href))
            journal.commit()
            moved += 1
    print(f"{moved} moved, {kept} kept, {failed} failed")


if __name__ == "__main__":
    main()

"""An SMTP server that keeps what it accepts, one raw mail a file, and fails on request."""

import asyncio
import itertools
import os
import threading

from .session import StartFailure

try:
    from aiosmtpd.smtp import SMTP
except ImportError:
    SMTP = None


class Keeper:
    """Writes each accepted mail to `<maildir>/new`, with its envelope in front, before it answers 250."""

    def __init__(self, maildir, arguments):
        self._maildir = maildir
        self._arguments = arguments
        self._numbers = itertools.count(1)

    async def handle_RCPT(self, _server, _session, envelope, address, options):
        if address in self._arguments.reject:
            return "550 5.1.1 No such mailbox"
        if address in self._arguments.defer:
            return "451 4.2.1 Mailbox busy, try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server, _session, envelope):
        if self._arguments.delay:
            await asyncio.sleep(self._arguments.delay)
        number = self._keep(envelope)
        if self._arguments.drop_after_data and number > self._arguments.drop_after_data:
            server.transport.close()
        return "250 OK"

    def _keep(self, envelope):
        number = next(self._numbers)
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        written = os.path.join(self._maildir, "tmp", f"{number:08}.eml")
        with open(written, "wb") as file:
            file.write(head.encode("utf-8") + envelope.original_content)
        os.rename(written, os.path.join(self._maildir, "new", f"{number:08}.eml"))
        return number


def start(session, _names, arguments):
    if SMTP is None:
        raise StartFailure("aiosmtpd is missing from this Python: run ./test, which installs it")
    maildir = session.path("mail")
    for part in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(maildir, part))
    keeper = Keeper(maildir, arguments)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(
        lambda: SMTP(keeper, hostname="sink.example.test", data_size_limit=64 * 1024 * 1024, loop=loop),
        host="127.0.0.1", port=0))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "maildir": maildir}

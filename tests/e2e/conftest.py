"""Fixtures of the end-to-end tests. Servers live as long as the test module that uses them."""

import os

import pytest

from support.servers import CalendarServer, SmtpServer

SERVERS = ["radicale", "xandikos", "cyrus"]
if os.environ.get("MMS_TEST_ALL_SERVERS"):
    SERVERS += ["davical", "sogo"]


@pytest.fixture(scope="module", params=SERVERS)
def calendar_server(request):
    """Each calendar server in turn."""
    with CalendarServer(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def cyrus():
    with CalendarServer("cyrus") as server:
        yield server


@pytest.fixture(scope="module")
def radicale():
    with CalendarServer("radicale") as server:
        yield server


@pytest.fixture
def smtp():
    """An SMTP server of this test alone, so that its mails can be counted."""
    with SmtpServer() as server:
        yield server

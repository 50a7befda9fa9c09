"""One authenticated request to a server that was just started."""

import base64
import urllib.request


def request(method, url, user, body=None, headers=None):
    """Sends a request as `user` (a record with name and password) and returns the status."""
    credentials = base64.b64encode(f"{user['name']}:{user['password']}".encode()).decode()
    sent = urllib.request.Request(url, data=body.encode() if body else None, method=method, headers={
        "Authorization": f"Basic {credentials}", "Content-Type": "application/xml; charset=utf-8", **(headers or {})})
    with urllib.request.urlopen(sent, timeout=30) as answer:
        answer.read()
        return answer.status

"""A proxy in front of a CalDAV server that fails on request."""

import http.client
import http.server
import ssl
import threading
import urllib.parse


class Fault:
    """What the proxy does to matching requests instead of passing them on; `times` limits how often."""

    def __init__(self, method=None, path="", *, times=None, status=None, headers=(), body=b"", close=False, garbage=None,
                 after=False):
        self.method, self.path, self.times = method, path, times
        self.status, self.headers, self.body = status, dict(headers), body
        self.close, self.garbage = close, garbage
        #: The server gets the request all the same; only its answer is lost.
        self.after = after
        self.met = 0

    def matches(self, method, path):
        return (self.method in (None, method) and self.path in path
                and (self.times is None or self.met < self.times))


class FaultProxy:
    """Passes requests to `url` on, but for those that a fault matches. With `certificate` (the PEM files of the
    certificate and its key) it speaks TLS."""

    def __init__(self, url, certificate=None):
        target = urllib.parse.urlsplit(url)
        self.faults = []
        #: (method, path, status) of each exchange; the status is None where the connection was closed.
        self.exchanges = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy.fault_for(self.command, self.path)
                if fault is None or fault.after:
                    answer = self.forward(body)
                if fault is None:
                    self.answer(*answer)
                elif fault.close:
                    proxy.note(self.command, self.path, None)
                    self.close_connection = True
                    self.connection.close()
                elif fault.garbage is not None:
                    proxy.note(self.command, self.path, None)
                    self.wfile.write(fault.garbage)
                    self.close_connection = True
                else:
                    self.answer(fault.status, fault.headers.items(), fault.body)

            def forward(self, body):
                connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                return answer.status, answer.getheaders(), content

            def answer(self, status, headers, body):
                proxy.note(self.command, self.path, status)
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"):
                        self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "POST", "PROPFIND", "REPORT", "MKCALENDAR"):
            setattr(Handler, f"do_{method}", Handler.handle_any)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._server.server_address[1]}{target.path}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fault_for(self, method, path):
        with self._lock:
            for fault in self.faults:
                if fault.matches(method, path):
                    fault.met += 1
                    return fault
        return None

    def note(self, method, path, status):
        with self._lock:
            self.exchanges.append((method, path, status))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

"""Refusals as AWS writes them: JSON for KMS and Secrets Manager, XML for S3 and STS."""

import json
from xml.sax.saxutils import escape


class Refusal(Exception):
    """One of AWS's errors: its code, its HTTP status and its message (None: the body has none)."""

    def __init__(self, code, message=None, status=400, **more):
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status
        self.more = more  # further XML elements or JSON members

    def json_body(self):
        body = {"__type": self.code}
        if self.message is not None:
            # KMS writes `message`, and `Message` in refusals that the front end makes.
            body["Message" if self.code == "AccessDeniedException" else "message"] = self.message
        body.update(self.more)
        return json.dumps(body).encode()

    def s3_body(self, request_id):
        more = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in self.more.items())
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message or '')}</Message>{more}"
            f"<RequestId>{request_id}</RequestId><HostId>emulated/host+id=</HostId></Error>"
        ).encode()

    def sts_body(self, request_id):
        kind = "Sender" if self.status < 500 else "Receiver"
        return (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <Error>\n'
            f"    <Type>{kind}</Type>\n    <Code>{self.code}</Code>\n    <Message>{escape(self.message or '')}</Message>\n"
            f"  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
        ).encode()

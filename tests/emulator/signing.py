"""Signature Version 4 checked with botocore's own signer: what a request claims is computed anew by AWS's code."""

import calendar
import hashlib
import hmac
import re
import time

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .errors import Refusal

SKEW_SECONDS = 300
S3_SKEW_SECONDS = 900
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/ ,]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class Request:
    """One HTTP request as it came: header names lower case, in order, repeated ones kept apart."""

    def __init__(self, method, target, headers, body, is_tls, peer=None):
        self.method = method
        self.target = target
        self.headers = headers  # [(lower-case name, value)]
        self.body = body
        self.is_tls = is_tls
        self.peer = peer
        self.path, _, self.query = target.partition("?")

    def header(self, name, fallback=None):
        return next((value for each, value in self.headers if each == name), fallback)


def scope_of(request):
    """(access key id, date, region, service, signed names, signature), or None where nothing is signed."""
    value = request.header("authorization")
    found = AUTHORIZATION.fullmatch(value) if value else None
    if value and value.startswith("AWS4-HMAC-SHA256") and not found:
        raise Refusal("IncompleteSignatureException", "Authorization header is not of its form", 400)
    return found.groups() if found else None


def _check_time(stamp, date, now, is_s3):
    try:
        signed_at = calendar.timegm(time.strptime(stamp or "", "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise Refusal("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.") from None
    if stamp[:8] != date:
        raise Refusal("SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from the date header")
    limit = S3_SKEW_SECONDS if is_s3 else SKEW_SECONDS
    if abs(signed_at - now) <= limit:
        return
    if is_s3:
        raise Refusal(
            "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403
        )
    server = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    if signed_at < now:
        raise Refusal("InvalidSignatureException", f"Signature expired: {stamp} is now earlier than {server} (- 5 min.)")
    raise Refusal("InvalidSignatureException", f"Signature not yet current: {stamp} is still later than {server} (+ 5 min.)")


def _check_payload(request, is_s3):
    claimed = request.header("x-amz-content-sha256")
    if is_s3 and claimed is None:
        raise Refusal("InvalidRequest", "Missing required header for this request: x-amz-content-sha256", 400)
    if claimed == "UNSIGNED-PAYLOAD" and is_s3:
        return
    if claimed is not None and claimed != hashlib.sha256(request.body).hexdigest():
        raise Refusal("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match.", 400)


def _expected_signature(request, scope, secret):
    access_key, _, region, service, names, _ = scope
    signed = names.split(";")
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials(access_key, secret), service, region)
    scheme = "https" if request.is_tls else "http"
    again = AWSRequest(method=request.method, url=f"{scheme}://{request.header('host')}{request.target}", data=request.body)
    for name, value in request.headers:
        if name in signed:
            again.headers[name] = value
    again.context["timestamp"] = request.header("x-amz-date")
    canonical = signer.canonical_request(again)
    text = signer.string_to_sign(again, canonical)
    return signer.signature(text, again), canonical, text


def authenticate(request, principals, region, now):
    """The principal that signed, after every check that AWS makes; raises a Refusal otherwise."""
    scope = scope_of(request)
    if scope is None:
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 400)
    access_key, date, scope_region, service, names, signature = scope
    is_s3 = service == "s3"
    signed = names.split(";")
    unsigned = [name for name, _ in request.headers if name.startswith("x-amz-") and name not in signed]
    if "host" not in signed or unsigned or signed != sorted(signed):
        raise Refusal("SignatureDoesNotMatch", f"'host' and every 'x-amz-*' header must be signed, not so: {unsigned}", 403)
    principal = principals.get(access_key)
    if principal is None:
        code, status = ("InvalidAccessKeyId", 403) if is_s3 else ("UnrecognizedClientException", 400)
        raise Refusal(code, "The security token included in the request is invalid.", status)
    _check_time(request.header("x-amz-date"), date, now, is_s3)
    if scope_region != region:
        raise Refusal("SignatureDoesNotMatch", f"Credential should be scoped to a valid region, not '{scope_region}'.", 403)
    if (principal.get("token") or None) != request.header("x-amz-security-token"):
        code, status = ("InvalidToken", 400) if is_s3 else ("UnrecognizedClientException", 400)
        raise Refusal(code, "The security token included in the request is invalid.", status)
    _check_payload(request, is_s3)
    expected, canonical, text = _expected_signature(request, scope, principal["secret"])
    if not hmac.compare_digest(expected, signature):
        code, status = ("SignatureDoesNotMatch", 403) if is_s3 else ("InvalidSignatureException", 400)
        raise Refusal(
            code,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
            "Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request "
            f"should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{text}'\n",
            status,
        )
    if principal.get("expires") is not None and principal["expires"] <= now:
        code = "ExpiredToken" if is_s3 else "ExpiredTokenException"
        raise Refusal(code, "The security token included in the request is expired", 400)
    return principal

"""Where credentials come from: STS with a web identity, instance metadata (IMDSv2), and the container endpoints."""

import json
import secrets
import time
import urllib.parse

from .errors import Refusal

SESSION_SECONDS = 3600
METADATA = "/latest/meta-data/"
ROLES = METADATA + "iam/security-credentials/"


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Identity:
    def __init__(self, principals, account, region):
        self.principals = principals
        self.account = account
        self.region = region
        self.session_seconds = SESSION_SECONDS
        self.web_tokens = {}  # token to role ARN that it may assume
        self.instance_role = None  # name of the instance's role
        self.container_paths = {}  # path to role name: ECS; the EKS agent's is /v1/credentials
        self.container_token = None  # what Authorization must say, where it is set
        self.metadata_tokens = {}
        self.num_issued = 0

    def session(self, role, now, policies=None, session_name="session"):
        """New temporary credentials of a role: (access key id, secret, token, expiry)."""
        self.num_issued += 1
        access_key = "ASIA" + secrets.token_hex(8).upper()
        role_arn = f"arn:aws:iam::{self.account}:role/{role}"
        known = next((each for each in self.principals.values() if each.get("role_arn") == role_arn), {})
        self.principals[access_key] = {
            "secret": secrets.token_urlsafe(30), "token": secrets.token_urlsafe(200), "account": self.account,
            "arn": f"arn:aws:sts::{self.account}:assumed-role/{role}/{session_name}", "role_arn": role_arn,
            "expires": now + self.session_seconds, "policies": policies or known.get("policies", []),
        }
        made = self.principals[access_key]
        return access_key, made["secret"], made["token"], made["expires"]

    def sts(self, call, request):
        form = dict(urllib.parse.parse_qsl(request.body.decode("utf-8", "replace") or request.query))
        call["operation"], call["input"] = form.get("Action", ""), {key: form[key] for key in form if "Token" not in key}
        if form.get("Version") != "2011-06-15" or form.get("Action") != "AssumeRoleWithWebIdentity":
            raise Refusal("InvalidAction", f"Could not find operation {form.get('Action')} for version {form.get('Version')}")
        name = form.get("RoleSessionName", "")
        if not 2 <= len(name) <= 64:
            raise Refusal("ValidationError", "1 validation error detected: Value at 'roleSessionName' failed to satisfy "
                                             "constraint")
        role_arn = self.web_tokens.get(form.get("WebIdentityToken"))
        if role_arn is None:
            raise Refusal("InvalidIdentityToken", "No OpenIDConnect provider found in your account for the token")
        if role_arn != form.get("RoleArn"):
            raise Refusal("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        role = role_arn.rsplit("/", 1)[1]
        access_key, secret, token, expires = self.session(role, call["now"], session_name=name)
        return (
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n'
            "  <AssumeRoleWithWebIdentityResult>\n    <SubjectFromWebIdentityToken>system:serviceaccount:tee:proxy"
            "</SubjectFromWebIdentityToken>\n    <Audience>sts.amazonaws.com</Audience>\n    <AssumedRoleUser>\n"
            f"      <Arn>arn:aws:sts::{self.account}:assumed-role/{role}/{name}</Arn>\n"
            f"      <AssumedRoleId>AROAEXAMPLE:{name}</AssumedRoleId>\n    </AssumedRoleUser>\n    <Credentials>\n"
            f"      <SessionToken>{token}</SessionToken>\n      <SecretAccessKey>{secret}</SecretAccessKey>\n"
            f"      <Expiration>{stamp(expires)}</Expiration>\n      <AccessKeyId>{access_key}</AccessKeyId>\n"
            "    </Credentials>\n    <Provider>arn:aws:iam::provider</Provider>\n  </AssumeRoleWithWebIdentityResult>\n"
            f"  <ResponseMetadata>\n    <RequestId>{call['request_id']}</RequestId>\n  </ResponseMetadata>\n"
            "</AssumeRoleWithWebIdentityResponse>\n"
        ).encode()

    def metadata(self, call, request):
        """(status, headers, body) of the instance metadata service, version 2 alone."""
        call["operation"] = request.path
        plain = [("Content-Type", "text/plain"), ("Server", "EC2ws")]
        if request.path == "/latest/api/token":
            seconds = request.header("x-aws-ec2-metadata-token-ttl-seconds", "")
            if request.method != "PUT":
                return 405, plain, b""
            if request.header("x-forwarded-for") is not None:
                return 403, plain, b""
            if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
                return 400, plain, b""
            token = secrets.token_urlsafe(40)
            self.metadata_tokens[token] = call["now"] + int(seconds)
            return 200, [*plain, ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", seconds)], token.encode()
        if self.metadata_tokens.get(request.header("x-aws-ec2-metadata-token"), 0) <= call["now"]:
            return 401, plain, b""
        if request.path == METADATA + "placement/region":
            return 200, plain, self.region.encode()
        if request.path == ROLES and self.instance_role:
            return 200, plain, self.instance_role.encode()
        if self.instance_role and request.path == ROLES + self.instance_role:
            return 200, plain, self._document(call["now"], self.instance_role, is_instance=True)
        return 404, plain, b""

    def _document(self, now, role, is_instance=False):
        access_key, secret, token, expires = self.session(role, now)
        made = {"AccessKeyId": access_key, "SecretAccessKey": secret, "Token": token, "Expiration": stamp(expires)}
        if is_instance:
            made = {"Code": "Success", "LastUpdated": stamp(now), "Type": "AWS-HMAC", **made}
        return json.dumps(made, indent=2).encode()

    def container(self, call, request):
        call["operation"] = request.path
        as_json = [("Content-Type", "application/json")]
        if self.container_token is not None and request.header("authorization") != self.container_token:
            return 401, as_json, b'{"code":"AccessDeniedException","message":"the token does not match"}'
        return 200, as_json, self._document(call["now"], self.container_paths[request.path])

"""AWS Secrets Manager: versions with stages, read and written (Secrets Manager API reference)."""

import base64
import secrets as random
import string
import time
import uuid

from .errors import Refusal

MAX_SECRET = 65536


class SecretsManager:
    OPERATIONS = ("GetSecretValue", "PutSecretValue", "CreateSecret")

    def __init__(self, region, account):
        self.region = region
        self.account = account
        self.secrets = {}  # ARN to secret
        self.denied = set()  # principal ARNs that may not

    def create(self, name, value=None, account=None):
        """The ARN of a new secret; `value` is text (SecretString) or bytes (SecretBinary)."""
        suffix = "".join(random.choice(string.ascii_letters) for _ in range(6))
        arn = f"arn:aws:secretsmanager:{self.region}:{account or self.account}:secret:{name}-{suffix}"
        self.secrets[arn] = {"arn": arn, "name": name, "versions": {}}
        if value is not None:
            self.put(arn, value)
        return arn

    def put(self, arn, value, version=None):
        secret = self.secrets[arn]
        version = version or str(uuid.uuid4())
        for each in secret["versions"].values():
            if "AWSCURRENT" in each["stages"]:
                each["stages"] = ["AWSPREVIOUS"]
            elif "AWSPREVIOUS" in each["stages"]:
                each["stages"] = []
        secret["versions"][version] = {"value": value, "stages": ["AWSCURRENT"], "created": time.time()}
        return version

    def _find(self, name):
        for secret in self.secrets.values():
            if name in (secret["arn"], secret["name"], secret["arn"][:-7]):
                return secret
        raise Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")

    def call(self, call, operation, arguments):
        if operation not in self.OPERATIONS:
            raise Refusal("UnknownOperationException")
        principal = call["principal"]
        if principal["arn"] in self.denied or principal.get("role_arn") in self.denied:
            raise Refusal("AccessDeniedException", f"User: {principal['arn']} is not authorized to perform: secretsmanager:"
                                                   f"{operation} on resource: {arguments.get('SecretId')} because no "
                                                   f"identity-based policy allows the secretsmanager:{operation} action")
        return getattr(self, "_" + operation)(arguments)

    def _GetSecretValue(self, arguments):  # noqa: N802
        secret = self._find(arguments.get("SecretId"))
        wanted, stage = arguments.get("VersionId"), arguments.get("VersionStage", "AWSCURRENT")
        for version, each in secret["versions"].items():
            if version == wanted or (wanted is None and stage in each["stages"]):
                return self._answer(secret, version, each)
        if wanted is not None:
            raise Refusal("ResourceNotFoundException", f"Secrets Manager can't find the specified secret version: {wanted}")
        raise Refusal("ResourceNotFoundException",
                      f"Secrets Manager can't find the specified secret value for staging label: {stage}")

    @staticmethod
    def _answer(secret, version, each):
        is_text = isinstance(each["value"], str)
        value = each["value"] if is_text else base64.b64encode(each["value"]).decode()
        return {"ARN": secret["arn"], "Name": secret["name"], "VersionId": version, "VersionStages": each["stages"],
                "SecretString" if is_text else "SecretBinary": value, "CreatedDate": each["created"]}

    @staticmethod
    def _value_of(arguments):
        text, binary = arguments.get("SecretString"), arguments.get("SecretBinary")
        if (text is None) == (binary is None):
            raise Refusal("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
        value = text if text is not None else base64.b64decode(binary)
        if not 1 <= len(value) <= MAX_SECRET:
            raise Refusal("InvalidParameterException", "The secret value is too long or empty.")
        return value

    def _PutSecretValue(self, arguments):  # noqa: N802
        secret = self._find(arguments.get("SecretId"))
        version = self.put(secret["arn"], self._value_of(arguments), arguments.get("ClientRequestToken"))
        return {"ARN": secret["arn"], "Name": secret["name"], "VersionId": version, "VersionStages": ["AWSCURRENT"]}

    def _CreateSecret(self, arguments):  # noqa: N802
        if any(each["name"] == arguments.get("Name") for each in self.secrets.values()):
            raise Refusal("ResourceExistsException", "The operation failed because the secret already exists.")
        arn = self.create(arguments["Name"], self._value_of(arguments))
        version = next(iter(self.secrets[arn]["versions"]))
        return {"ARN": arn, "Name": arguments["Name"], "VersionId": version}

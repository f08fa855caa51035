"""AWS KMS: symmetric keys, their policies, and the operations that an enclave and its host use (KMS API reference)."""

import base64
import binascii
import datetime
import json
import os
import pathlib
import subprocess
import tempfile
import uuid

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from . import attestation, policy
from .errors import Refusal

MAX_PLAINTEXT = 4096
MAX_RANDOM = 1024
MAX_CIPHERTEXT = 6144


def _bytes_of(arguments, name, maximum, is_required=True):
    value = arguments.get(name)
    if value is None and not is_required:
        return None
    if not isinstance(value, str):
        raise Refusal("ValidationException", f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
                                             "Member must not be null")
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("SerializationException") from None
    if not 1 <= len(found) <= maximum:
        raise Refusal("ValidationException", f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
                                             f"Member must have length less than or equal to {maximum}")
    return found


def _text(data):
    return base64.b64encode(data).decode()


def envelope(public_key_der, plaintext):
    """CiphertextForRecipient: CMS EnvelopedData in BER. openssl writes it for a throwaway certificate of that key."""
    public_key = serialization.load_der_public_key(public_key_der)
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise Refusal("ValidationException", "The public key in the attestation document is not an RSA key.")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recipient")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    with tempfile.TemporaryDirectory(prefix="emulator-") as folder:
        path = pathlib.Path(folder) / "recipient.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        command = ["openssl", "cms", "-encrypt", "-binary", "-stream", "-outform", "DER", "-aes-256-cbc", "-recip", str(path),
                   "-keyid", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-keyopt",
                   "rsa_mgf1_md:sha256"]
        return subprocess.run(command, input=plaintext, stdout=subprocess.PIPE, check=True, timeout=60).stdout


class Kms:
    OPERATIONS = ("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateRandom", "DescribeKey")

    def __init__(self, region, account, root=None):
        self.region = region
        self.account = account
        self.root = root  # of attestation documents: an x509 certificate; None: Recipient is refused
        self.keys = {}  # ARN to key
        self.aliases = {}  # "alias/name" to ARN
        self.beside_sealed = {}  # members beside CiphertextForRecipient: AWS may write {"Plaintext": ""} or None

    def create_key(self, key_policy=None, key_id=None, alias=None, account=None):
        """The ARN of a new key. Without a policy, the account's own policies decide, as in a key made by the console."""
        account = account or self.account
        arn = f"arn:aws:kms:{self.region}:{account}:key/{key_id or uuid.uuid4()}"
        everybody = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                                    "Action": "kms:*", "Resource": "*"}]}
        self.keys[arn] = {"arn": arn, "policy": key_policy or everybody, "material": os.urandom(32), "enabled": True,
                          "grants": []}
        if alias:
            self.aliases[alias] = arn
        return arn

    def grant(self, key, principal_arn, operations):
        self.keys[key]["grants"].append({"principal": principal_arn, "operations": list(operations)})

    def _find(self, name, account):
        if not isinstance(name, str) or not name:
            raise Refusal("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy "
                                                 "constraint: Member must not be null")
        if name.startswith("arn:"):
            parts = name.split(":", 5)
            if len(parts) != 6 or parts[2] != "kms":
                raise Refusal("ValidationException", f"Invalid arn {name}")
            arn = self.aliases.get(parts[5]) if parts[5].startswith("alias/") else name
        elif name.startswith("alias/"):
            arn = self.aliases.get(name)
        else:
            arn = f"arn:aws:kms:{self.region}:{account}:key/{name}"
        if arn not in self.keys:
            if "alias/" in name:
                raise Refusal("NotFoundException", f"Alias {name} is not found.")
            raise Refusal("NotFoundException", f"Key '{arn}' does not exist")
        return self.keys[arn]

    def _authorize(self, call, operation, key, arguments):
        principal, context = call["principal"], dict(call["conditions"])
        for name, value in (arguments.get("EncryptionContext") or {}).items():
            context[f"kms:EncryptionContext:{name}"] = value
        context["aws:PrincipalArn"] = principal.get("role_arn", principal["arn"])
        context["kms:CallerAccount"] = principal["account"]
        if any(each["principal"] in (principal["arn"], principal.get("role_arn")) and operation in each["operations"]
               for each in key["grants"]):
            return
        why = policy.decide(principal, f"kms:{operation}", key["arn"], key["policy"], context)
        if why is not None:
            raise Refusal("AccessDeniedException", f"User: {principal['arn']} is not authorized to perform: kms:{operation} on "
                                                   f"resource: {key['arn']} {why}")
        if not key["enabled"]:
            raise Refusal("DisabledException", f"{key['arn']} is disabled.")

    @staticmethod
    def _associated(arguments):
        context = arguments.get("EncryptionContext") or {}
        if not isinstance(context, dict) or not all(isinstance(value, str) for value in context.values()):
            raise Refusal("SerializationException")
        return json.dumps(context, sort_keys=True).encode()

    def encrypt_under(self, arn, plaintext, context=None):
        """A ciphertext as the service makes it, whoever asks: for tests that prepare one."""
        nonce = os.urandom(12)
        sealed = AESGCM(self.keys[arn]["material"]).encrypt(nonce, plaintext, self._associated({"EncryptionContext": context}))
        name = arn.encode()
        return b"\x01\x02\x03\x00" + len(name).to_bytes(2, "big") + name + nonce + sealed

    def _open(self, blob, arguments):
        length = int.from_bytes(blob[4:6], "big")
        arn = blob[6:6 + length].decode("utf-8", "replace")
        nonce, sealed = blob[6 + length:18 + length], blob[18 + length:]
        if blob[:4] != b"\x01\x02\x03\x00" or arn not in self.keys:
            raise Refusal("InvalidCiphertextException")
        return self.keys[arn], nonce, sealed

    def _recipient(self, call, arguments):
        """The recipient's public key in DER, None without one; what its document shows joins the conditions."""
        recipient = arguments.get("Recipient")
        if recipient is None:
            return None
        if not isinstance(recipient, dict) or recipient.get("KeyEncryptionAlgorithm") != "RSAES_OAEP_SHA_256":
            raise Refusal("ValidationException", "KeyEncryptionAlgorithm must be RSAES_OAEP_SHA_256.")
        document = _bytes_of(recipient, "AttestationDocument", 262144)
        if self.root is None:
            raise Refusal("ValidationException", "Attestation documents are not verified here.")
        content = attestation.verify(document, self.root, call["now"])
        if not content.get("public_key"):
            raise Refusal("ValidationException", "The attestation document has no public key.")
        call["conditions"].update(attestation.conditions(content))
        return content["public_key"]

    def _answer_plaintext(self, output, plaintext, recipient):
        if recipient is None:
            output["Plaintext"] = _text(plaintext)
        else:
            output.update(CiphertextForRecipient=_text(envelope(recipient, plaintext)), **self.beside_sealed)
        return output

    def call(self, call, operation, arguments):
        if operation not in self.OPERATIONS:
            raise Refusal("UnknownOperationException")
        call["conditions"] = {}
        return getattr(self, "_" + operation)(call, arguments)

    def _Decrypt(self, call, arguments):  # noqa: N802 (AWS's names)
        blob = _bytes_of(arguments, "CiphertextBlob", MAX_CIPHERTEXT)
        key, nonce, sealed = self._open(blob, arguments)
        if arguments.get("KeyId") is not None and self._find(arguments["KeyId"], call["principal"]["account"]) is not key:
            raise Refusal("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this "
                                                   "operation.")
        recipient = self._recipient(call, arguments)
        self._authorize(call, "Decrypt", key, arguments)
        try:
            plaintext = AESGCM(key["material"]).decrypt(nonce, sealed, self._associated(arguments))
        except (InvalidTag, ValueError):
            raise Refusal("InvalidCiphertextException") from None
        output = {"KeyId": key["arn"], "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
        return self._answer_plaintext(output, plaintext, recipient)

    def _Encrypt(self, call, arguments):  # noqa: N802
        key = self._find(arguments.get("KeyId"), call["principal"]["account"])
        plaintext = _bytes_of(arguments, "Plaintext", MAX_PLAINTEXT)
        self._authorize(call, "Encrypt", key, arguments)
        blob = self.encrypt_under(key["arn"], plaintext, arguments.get("EncryptionContext"))
        return {"CiphertextBlob": _text(blob), "KeyId": key["arn"], "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    @staticmethod
    def _num_bytes(arguments):
        spec, count = arguments.get("KeySpec"), arguments.get("NumberOfBytes")
        if (spec is None) == (count is None):
            raise Refusal("ValidationException", "Please specify either number of bytes or key spec.")
        if spec is not None and spec not in ("AES_256", "AES_128"):
            raise Refusal("ValidationException", f"1 validation error detected: Value '{spec}' at 'keySpec' failed to satisfy "
                                                 "constraint: Member must satisfy enum value set: [AES_256, AES_128]")
        if count is not None and (not isinstance(count, int) or not 1 <= count <= MAX_RANDOM):
            raise Refusal("ValidationException", f"1 validation error detected: Value '{count}' at 'numberOfBytes' failed to "
                                                 "satisfy constraint: Member must have value less than or equal to 1024")
        return count if count is not None else 32 if spec == "AES_256" else 16

    def _make_data_key(self, call, operation, arguments):
        key = self._find(arguments.get("KeyId"), call["principal"]["account"])
        plaintext = os.urandom(self._num_bytes(arguments))
        recipient = self._recipient(call, arguments) if operation == "GenerateDataKey" else None
        self._authorize(call, operation, key, arguments)
        blob = self.encrypt_under(key["arn"], plaintext, arguments.get("EncryptionContext"))
        return {"CiphertextBlob": _text(blob), "KeyId": key["arn"]}, plaintext, recipient

    def _GenerateDataKey(self, call, arguments):  # noqa: N802
        return self._answer_plaintext(*self._make_data_key(call, "GenerateDataKey", arguments))

    def _GenerateDataKeyWithoutPlaintext(self, call, arguments):  # noqa: N802
        return self._make_data_key(call, "GenerateDataKeyWithoutPlaintext", arguments)[0]

    def _GenerateRandom(self, call, arguments):  # noqa: N802
        count = arguments.get("NumberOfBytes")
        if not isinstance(count, int) or not 1 <= count <= MAX_RANDOM:
            raise Refusal("ValidationException", "1 validation error detected: Value at 'numberOfBytes' failed to satisfy "
                                                 "constraint: Member must have value less than or equal to 1024")
        recipient = self._recipient(call, arguments)
        return self._answer_plaintext({}, os.urandom(count), recipient)

    def _DescribeKey(self, call, arguments):  # noqa: N802
        key = self._find(arguments.get("KeyId"), call["principal"]["account"])
        self._authorize(call, "DescribeKey", key, arguments)
        parts = key["arn"].split(":")
        return {"KeyMetadata": {"Arn": key["arn"], "KeyId": parts[5].removeprefix("key/"), "AWSAccountId": parts[4],
                                "Enabled": key["enabled"], "KeyState": "Enabled" if key["enabled"] else "Disabled",
                                "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}}

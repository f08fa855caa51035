"""What KMS does with an attestation document: verifies it under a root and shows its measurements to the key policy."""

import calendar

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .errors import Refusal

MAX_AGE_SECONDS = 300
REQUIRED = ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle")


def _refuse(why):
    raise Refusal("ValidationException", f"Failed to verify the attestation document: {why}", 400)


def _verify_chain(leaf, bundle, root, at):
    """Root first, as the document holds them; each signed by the one before; valid at the document's own time."""
    chain = [x509.load_der_x509_certificate(der) for der in [*bundle, leaf]]
    if chain[0].public_bytes(serialization.Encoding.DER) != root.public_bytes(serialization.Encoding.DER):
        _refuse("the certificate bundle does not begin with the trusted root")
    for above, below in zip(chain, chain[1:]):
        if below.issuer != above.subject:
            _refuse("a certificate is not issued by the one before")
        above.public_key().verify(below.signature, below.tbs_certificate_bytes, ec.ECDSA(below.signature_hash_algorithm))
    for each in chain:
        first = calendar.timegm(each.not_valid_before.timetuple())
        last = calendar.timegm(each.not_valid_after.timetuple())
        if not first <= at <= last:
            _refuse("a certificate is not valid")
    return chain[-1]


def _verify_signature(certificate, protected, payload, signature):
    if len(signature) != 96:
        _refuse("the signature is not ES384")
    der = encode_dss_signature(int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big"))
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    certificate.public_key().verify(der, signed, ec.ECDSA(hashes.SHA384()))


def verify(document, root, now):
    """{"pcrs": {index: bytes}, "public_key": bytes or None, ...} of a good document; raises a Refusal otherwise."""
    try:
        cose = cbor2.loads(document)
        cose = cose.value if isinstance(cose, cbor2.CBORTag) and cose.tag == 18 else cose
        protected, _, payload, signature = cose
        content = cbor2.loads(payload)
        if cbor2.loads(protected) != {1: -35} or any(name not in content for name in REQUIRED):
            _refuse("it is not of its form")
        if content["digest"] != "SHA384":
            _refuse("its digest is not SHA384")
        at = content["timestamp"] / 1000
        leaf = _verify_chain(content["certificate"], content["cabundle"], root, at)
        _verify_signature(leaf, protected, payload, signature)
    except InvalidSignature:
        _refuse("a signature does not verify")
    except Refusal:
        raise
    except Exception as why:  # whatever the decoder says about foreign bytes
        _refuse(f"it cannot be parsed ({type(why).__name__})")
    if abs(now - at) > MAX_AGE_SECONDS:
        _refuse("it is expired")
    return content


def conditions(content):
    """The condition keys that a key policy sees (AWS KMS developer guide, "Condition keys for Nitro Enclaves")."""
    found = {}
    for index, value in content["pcrs"].items():
        found[f"kms:RecipientAttestation:PCR{index}"] = value.hex()
    if 0 in content["pcrs"]:
        found["kms:RecipientAttestation:ImageSha384"] = content["pcrs"][0].hex()
    return found


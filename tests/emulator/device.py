"""Attestation documents as the Nitro device makes them, under a root of the tests: COSE_Sign1, ES384, four certificates."""

import datetime
import os

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID


def _certificate(subject, key, issuer, issuer_key, at, days, is_authority):
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    day = datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - day)
        .not_valid_after(at + days * day)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(not is_authority, False, False, False, False, is_authority, is_authority, False, False),
                       critical=True)
        .sign(issuer_key, hashes.SHA384())
    )


class Device:
    """root: the certificate to trust; document() signs one."""

    def __init__(self):
        at = datetime.datetime.utcnow()
        names = ("test root", "test zone", "test host")
        keys = [ec.generate_private_key(ec.SECP384R1()) for _ in range(len(names) + 1)]
        issuers = [0, 0, 1]
        self.bundle = [
            _certificate(name, keys[i], names[issuers[i]], keys[issuers[i]], at, 30, True) for i, name in enumerate(names)
        ]
        self.key = keys[3]
        self.leaf = _certificate("test enclave", self.key, names[2], keys[2], at, 1, False)
        self.root = self.bundle[0]

    def document(self, pcrs, now, public_key=None, user_data=None, nonce=None):
        """pcrs: {index: 48 bytes}; now: Unix seconds."""
        payload = cbor2.dumps({
            "module_id": "i-0123456789abcdef0-enc0123456789abcdef", "digest": "SHA384", "timestamp": int(now * 1000),
            "pcrs": {index: pcrs.get(index, bytes(48)) for index in range(16)},
            "certificate": self.leaf.public_bytes(serialization.Encoding.DER),
            "cabundle": [each.public_bytes(serialization.Encoding.DER) for each in self.bundle],
            "public_key": public_key, "user_data": user_data, "nonce": nonce,
        })
        protected = cbor2.dumps({1: -35})
        der = self.key.sign(cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA384()))
        r, s = decode_dss_signature(der)
        return cbor2.dumps([protected, {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")])


def measurements(seed=None):
    """PCR0 to PCR4 and PCR8 of some image; all zero for a debug enclave: seed b""."""
    if seed == b"":
        return {index: bytes(48) for index in (0, 1, 2, 3, 4, 8)}
    return {index: os.urandom(48) if seed is None else bytes([seed, index]) * 24 for index in (0, 1, 2, 3, 4, 8)}

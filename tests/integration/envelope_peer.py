"""The client's side of a JWE envelope, by python cryptography: what a request and its answer are to somebody else."""

import base64
import hashlib
import json
import os
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def public_jwk(key):
    numbers = key.public_key().public_numbers()
    x, y = (encode(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def read_jwk(jwk):
    x, y = (int.from_bytes(decode(jwk[name]), "big") for name in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def content_key(own, peer):
    """ECDH-ES with A256GCM, nobody named (RFC 7518 section 4.6.2)."""
    info = len(b"A256GCM").to_bytes(4, "big") + b"A256GCM" + bytes(8) + (256).to_bytes(4, "big")
    return ConcatKDFHash(hashes.SHA256(), 32, info).derive(own.exchange(ec.ECDH(), peer))


def seal(body, jwk, **header):
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": jwk["kid"], "epk": public_jwk(ephemeral), **header}
    protected = encode(json.dumps(header).encode())
    nonce = os.urandom(12)
    sealed = AESGCM(content_key(ephemeral, read_jwk(jwk))).encrypt(nonce, body, protected.encode())
    return f"{protected}..{encode(nonce)}.{encode(sealed[:-16])}.{encode(sealed[-16:])}"


class Envelope:
    """One request to a key set as /.well-known/jwks.json has it, and what opens its answer."""

    def __init__(self, keys, body, path):
        self.keys = keys
        self.reply = ec.generate_private_key(ec.SECP256R1())
        recipient = next(key for key in keys["keys"] if key["use"] == "enc")
        self.made = int(time.time())
        reply_jwk = {**public_jwk(self.reply), "kid": "reply"}
        self.text = seal(body, recipient, iat=self.made, path=path, cty="application/json", reply_jwk=reply_jwk).encode()

    def open(self, text):
        """(status, body) of an answer that the enclave made to this request; an exception otherwise."""
        protected, key, nonce, ciphertext, tag = text.decode("ascii").split(".")
        header = json.loads(decode(protected))
        assert key == "" and (header["alg"], header["enc"], header["kid"]) == ("ECDH-ES", "A256GCM", "reply"), header
        aead = AESGCM(content_key(self.reply, read_jwk(header["epk"])))
        jws = aead.decrypt(decode(nonce), decode(ciphertext) + decode(tag), protected.encode()).decode("ascii")
        protected, payload, signature = jws.split(".")
        header = json.loads(decode(protected))
        assert header["alg"] == "ES256"
        signer = next(key for key in self.keys["keys"] if key["use"] == "sig" and key["kid"] == header["kid"])
        r, s = (int.from_bytes(half, "big") for half in (decode(signature)[:32], decode(signature)[32:]))
        read_jwk(signer).verify(encode_dss_signature(r, s), f"{protected}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
        assert header["req"] == encode(hashlib.sha256(self.text).digest()), header
        assert abs(header["iat"] - time.time()) < 300, header
        return header["status"], decode(payload)

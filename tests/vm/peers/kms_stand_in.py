"""AWS KMS as far as a case needs it, for a machine without botocore: checks the signature of each call (Signature Version 4,
by the standard library alone) and answers with the key that the call names.

    kms_stand_in.py PORT ACCESS_KEY SECRET
"""

import base64
import hashlib
import hmac
import json
import re
import socket
import sys
import threading

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/((\d{8})/([a-z0-9-]+)/kms/aws4_request), ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


def text_of(data):
    return base64.b64encode(data).decode()


def is_signed(headers, body, access_key, secret):
    found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found or found[1] != access_key:
        return False
    lines = "".join(f"{name}:{headers.get(name, '')}\n" for name in found[5].split(";"))
    request = f"POST\n/\n\n{lines}\n{found[5]}\n{hashlib.sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{headers.get('x-amz-date')}\n{found[2]}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for part in (found[3], found[4], "kms", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), found[6])


def answer(operation, given):
    if "Recipient" in given:
        document = base64.b64decode(given["Recipient"]["AttestationDocument"])
        said = {"CiphertextForRecipient": text_of(b"for " + document)}
    elif operation == "GenerateDataKeyWithoutPlaintext":
        said = {"CiphertextBlob": text_of(b"sealed")}
    else:
        said = {"Plaintext": text_of(bytes(given.get("NumberOfBytes", 1)))}
    return {**said, **({"KeyId": given["KeyId"]} if "KeyId" in given else {})}


def serve(sock, access_key, secret):
    with sock, sock.makefile("rb") as stream:
        while stream.readline():
            headers = {}
            while (line := stream.readline().decode().strip()) != "":
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
            if is_signed(headers, body, access_key, secret):
                status, said = "200 OK", answer(headers["x-amz-target"].partition(".")[2], json.loads(body))
            else:
                status, said = "400 Bad Request", {"__type": "InvalidSignatureException", "message": "not signed so"}
            data = json.dumps(said).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(data)}\r\n\r\n"
            sock.sendall(head.encode() + data)


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, *sys.argv[2:4]), daemon=True).start()


if __name__ == "__main__":
    main()

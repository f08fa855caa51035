// The same questions as tests/programs/siv_answers.c, answered by @noble/ciphers and node's own HMAC. One a line:
//   siv KEY NONCE AAD PLAINTEXT -> ciphertext and tag        token KEY string|json PLAINTEXT -> the token
//   open KEY TOKEN -> string|json PLAINTEXT, or refused
// Everything but tokens is hexadecimal; `-` stands for no bytes.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { gcmsiv } from "@noble/ciphers/aes";

const bytes = (hex) => (hex === "-" ? new Uint8Array() : new Uint8Array(Buffer.from(hex, "hex")));
const hex = (data) => Buffer.from(data).toString("hex") || "-";
const base64url = (data) => Buffer.from(data).toString("base64url");
const aads = { string: new Uint8Array(), json: new TextEncoder().encode("json") };

function seal(key, kind, plaintext) {
  const mac = createHmac("sha256", key);
  if (kind === "json") mac.update("json\0");
  const nonce = new Uint8Array(mac.update(plaintext).digest().subarray(0, 12));
  return `v1.${base64url(nonce)}.${base64url(gcmsiv(key, nonce, aads[kind]).encrypt(plaintext))}`;
}

function open(key, token) {
  const [version, nonce, body] = token.split(".");
  if (version !== "v1") return "refused";
  for (const kind of ["string", "json"]) {
    try {
      const cipher = gcmsiv(key, new Uint8Array(Buffer.from(nonce, "base64url")), aads[kind]);
      return `${kind} ${hex(cipher.decrypt(new Uint8Array(Buffer.from(body, "base64url"))))}`;
    } catch {
      continue;
    }
  }
  return "refused";
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what, key, ...rest] = line.split(" ");
  if (what === "siv") {
    const [nonce, aad, plaintext] = rest.map(bytes);
    console.log(hex(gcmsiv(bytes(key), nonce, aad).encrypt(plaintext)));
  } else if (what === "token") {
    console.log(seal(bytes(key), rest[0], bytes(rest[1])));
  } else {
    console.log(open(bytes(key), rest[0]));
  }
}

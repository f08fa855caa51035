// Oblivious HTTP as RFC 9458 §4 writes it, on @hpke's HPKE and bhttp-js's binary HTTP. One question a line; bytes
// hexadecimal, `-` none; AEAD is 1 (AES-128-GCM) or 2 (AES-256-GCM):
//   ask KEYS AEAD PLAINTEXT -> SEALED STATE      answered STATE SEALED -> plaintext or refused
//   serve PRIVATE PUBLIC SEALED -> plaintext     encode METHOD URL BODY [HEADERS] -> binary HTTP request
//   decode BHTTP -> METHOD URL BODY              decode-response BHTTP -> STATUS BODY [HEADERS]
// HEADERS is the base64url of a JSON object; decode-response gives them where it is asked with a second word.
import { Buffer } from "node:buffer";
import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline";
import { Aes128Gcm, Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";
import { BHttpDecoder, BHttpEncoder } from "bhttp-js";

const subtle = webcrypto.subtle;
const bytes = (hex) => (hex === "-" ? new Uint8Array() : new Uint8Array(Buffer.from(hex, "hex")));
const hex = (data) => Buffer.from(data).toString("hex") || "-";
const text = (string) => new TextEncoder().encode(string);
const keyLengths = { 1: 16, 2: 32 };

const suite = (aead) =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: aead === 1 ? new Aes128Gcm() : new Aes256Gcm() });
const info = (header) => Buffer.concat([text("message/bhttp request"), Buffer.from([0]), header]);

async function ask(keys, aead, plaintext) {
  const config = Buffer.from(keys).subarray(2); // behind the length; then key id, KEM, public key
  const header = Buffer.concat([config.subarray(0, 3), Buffer.from([0, 1, 0, aead])]);
  const hpke = suite(aead);
  const recipientPublicKey = await hpke.kem.deserializePublicKey(new Uint8Array(config.subarray(3, 35)).buffer);
  const sender = await hpke.createSenderContext({ recipientPublicKey, info: info(header) });
  const sealed = Buffer.concat([header, Buffer.from(sender.enc), Buffer.from(await sender.seal(plaintext))]);
  const secret = await sender.export(text("message/bhttp response"), keyLengths[aead]);
  return `${hex(sealed)} ${aead}:${hex(sender.enc)}:${hex(secret)}`;
}

const hmac = async (key, data) =>
  new Uint8Array(await subtle.sign("HMAC", await subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]), data));
const expand = async (prk, label, length) => (await hmac(prk, Buffer.concat([text(label), Buffer.from([1])]))).slice(0, length);

async function answered(state, sealed) {
  const [aead, enc, secret] = state.split(":");
  const length = keyLengths[aead];
  const prk = await hmac(Buffer.concat([bytes(enc), sealed.slice(0, length)]), bytes(secret));
  const key = await subtle.importKey("raw", await expand(prk, "key", length), "AES-GCM", false, ["decrypt"]);
  return hex(await subtle.decrypt({ name: "AES-GCM", iv: await expand(prk, "nonce", 12) }, key, sealed.slice(length)));
}

async function serve(privateKey, publicKey, sealed) {
  const hpke = suite(sealed[6]);
  const recipientKey = {
    privateKey: await hpke.kem.deserializePrivateKey(privateKey.buffer),
    publicKey: await hpke.kem.deserializePublicKey(publicKey.buffer),
  };
  const recipient = await hpke.createRecipientContext({ recipientKey, enc: sealed.slice(7, 39), info: info(sealed.slice(0, 7)) });
  return hex(await recipient.open(sealed.slice(39)));
}

async function answer(line) {
  const [question, ...rest] = line.split(" ");
  switch (question) {
    case "ask":
      return await ask(bytes(rest[0]), Number(rest[1]), bytes(rest[2]));
    case "answered":
      return await answered(rest[0], bytes(rest[1]));
    case "serve":
      return await serve(bytes(rest[0]), bytes(rest[1]), bytes(rest[2]));
    case "encode": {
      const body = rest[2] === "-" ? undefined : bytes(rest[2]);
      const headers = rest[3] ? JSON.parse(Buffer.from(rest[3], "base64url").toString()) : {};
      return hex(await new BHttpEncoder().encodeRequest(new Request(rest[1], { method: rest[0], body, headers })));
    }
    case "decode": {
      const request = new BHttpDecoder().decodeRequest(bytes(rest[0]));
      return `${request.method} ${request.url} ${hex(await request.arrayBuffer())}`;
    }
    case "decode-response": {
      const response = new BHttpDecoder().decodeResponse(bytes(rest[0]));
      const headers = rest[1] ? ` ${Buffer.from(JSON.stringify(Object.fromEntries(response.headers))).toString("base64url")}` : "";
      return `${response.status} ${hex(await response.arrayBuffer())}${headers}`;
    }
  }
  throw new Error(`no such question: ${question}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await answer(line).catch((error) => `refused ${error.message}`));
}

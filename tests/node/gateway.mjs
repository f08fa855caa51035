// A client of the gateway on npm jose alone: one JSON question a line, one JSON answer a line.
//   {seal: HEX, jwks, header} -> {jwe, reply}   a JWE to the published key, with `reply_jwk` made for it; header's
//                                               members come over the usual ones, null takes one out
//   {open: JWE, reply, jwks} -> {payload: HEX, header}   the answer: opened by `reply`, its JWS by the published keys
//   {forge: HEX, reply, header} -> {jwe}        what a host can make: signed by a key of its own, to the public `reply`
import { createInterface } from "node:readline";
import { CompactEncrypt, CompactSign, calculateJwkThumbprint, compactDecrypt, compactVerify, createLocalJWKSet,
         decodeProtectedHeader, exportJWK, generateKeyPair, importJWK } from "jose";

const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");
const publicHalf = ({ kty, crv, x, y }) => ({ kty, crv, x, y });

async function seal({ seal, jwks, header }) {
  const recipient = jwks.keys.find((key) => key.use === "enc");
  const pair = await generateKeyPair("ECDH-ES", { crv: "P-256", extractable: true });
  const reply = await exportJWK(pair.privateKey);
  const all = { alg: "ECDH-ES", enc: "A256GCM", kid: recipient.kid, iat: Math.floor(Date.now() / 1000), reply_jwk: publicHalf(reply), ...header };
  const members = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
  const jwe = await new CompactEncrypt(bytes(seal)).setProtectedHeader(members).encrypt(await importJWK(recipient, all.alg));
  return { jwe, reply };
}

async function open({ open, reply, jwks }) {
  const outer = decodeProtectedHeader(open);
  if (outer.kid !== (await calculateJwkThumbprint(publicHalf(reply)))) {
    throw new Error("sealed to another key");
  }
  const { plaintext } = await compactDecrypt(open, await importJWK(reply, "ECDH-ES"));
  const { payload, protectedHeader } = await compactVerify(plaintext, createLocalJWKSet(jwks), { algorithms: ["ES256"] });
  return { payload: hex(payload), header: protectedHeader };
}

async function forge({ forge, reply, header }) {
  const { privateKey } = await generateKeyPair("ES256");
  const jws = await new CompactSign(bytes(forge)).setProtectedHeader({ alg: "ES256", ...header }).sign(privateKey);
  const kid = await calculateJwkThumbprint(reply);
  const jwe = await new CompactEncrypt(new TextEncoder().encode(jws)).setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM", kid, cty: "jose" })
    .encrypt(await importJWK(reply, "ECDH-ES"));
  return { jwe };
}

async function answer(question) {
  if ("seal" in question) return await seal(question);
  if ("open" in question) return await open(question);
  if ("forge" in question) return await forge(question);
  throw new Error("no such question");
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line)).catch((error) => ({ refused: String(error.code ?? error.message) }))));
}

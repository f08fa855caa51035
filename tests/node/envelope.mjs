// JWE and JWS by npm jose, one question a line. Keys are JWK (private where needed) in JSON, bytes hexadecimal, `-` none:
//   seal JWK KID PLAINTEXT [ALG ENC] -> JWE      open JWK JWE -> plaintext or refused
//   sign JWK KID PAYLOAD -> JWS                  verify JWK JWS -> payload or refused
import { createInterface } from "node:readline";
import { CompactEncrypt, CompactSign, compactDecrypt, compactVerify, importJWK } from "jose";

const bytes = (hex) => (hex === "-" ? new Uint8Array() : new Uint8Array(Buffer.from(hex, "hex")));
const hex = (data) => Buffer.from(data).toString("hex") || "-";

async function answer(line) {
  const [question, jwk, ...rest] = line.split(" ");
  const alg = question === "sign" || question === "verify" ? "ES256" : (rest[2] ?? "ECDH-ES");
  const key = await importJWK(JSON.parse(jwk), alg);
  switch (question) {
    case "seal":
      return await new CompactEncrypt(bytes(rest[1]))
        .setProtectedHeader({ alg, enc: rest[3] ?? "A256GCM", kid: rest[0], iat: 1763700000 })
        .encrypt(key);
    case "open":
      return hex((await compactDecrypt(rest[0], key)).plaintext);
    case "sign":
      return await new CompactSign(bytes(rest[1])).setProtectedHeader({ alg, kid: rest[0] }).sign(key);
    case "verify":
      return hex((await compactVerify(rest[0], key)).payload);
  }
  throw new Error(`no such question: ${question}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await answer(line).catch(() => "refused"));
}

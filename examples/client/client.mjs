#!/usr/bin/env node
// A client of an enclave's gateway in Node, with npm `jose`: verifies the enclave, seals a request to it, and believes
// only its own answer. What `teegate call` does, for who wants it in a program of their own.
//
//   node client.mjs URL REQUEST.json [option of `teegate attest verify`]...
//
// The answer's body goes to standard output. Exit status: 0 answered with 2xx; 1 not done, or not to be believed;
// 4 a verified answer of another status.
import { execFileSync } from "node:child_process";
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request as httpsRequest } from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import { connect as tlsConnect } from "node:tls";
import {
  CompactEncrypt,
  calculateJwkThumbprint,
  compactDecrypt,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
} from "jose";

const CLOCK_S = 300; // how far the enclave's clock may be from ours
const MAX_ANSWER_BYTES = 32 << 20;
const TIMEOUT_MS = 30000;
const MAX_TRIES = 15;
const TEEGATE = process.env.TEEGATE ?? "teegate";

const sha256 = (data) => createHash("sha256").update(data).digest();
const nowSeconds = () => Math.floor(Date.now() / 1000);

class NotBelieved extends Error {}

function need(isTrue, what) {
  if (!isTrue) throw new NotBelieved(what);
}

// 1. The enclave proves which image it runs. Signature, chain, registers, nonce and policy are the tool's work; what it
// gives back is the manifest that it verified, and everything below is held against that and nothing else.
function verifiedManifest(url, options) {
  let text;
  try {
    text = execFileSync(TEEGATE, ["attest", "verify", new URL(url).origin, "--json", ...options], { encoding: "utf8" });
  } catch (error) {
    const checks = error.stdout ? JSON.parse(error.stdout).checks : [];
    const failed = checks.filter((check) => check.verdict === "failed").map((check) => `${check.check}: ${check.text}`);
    throw new NotBelieved(`the enclave is not verified: ${failed.join("; ") || String(error.stderr ?? error.message).trim()}`);
  }
  const report = JSON.parse(text);
  need(report.verified === true && report.manifest !== undefined, "the enclave is not verified");
  return report.manifest;
}

// 2. A connection counts by its key, not by a certificate authority: the manifest names the key that the enclave made.
// CONNECT_TO=HOST:PORT goes to another address, such as a teegate-proxy, which sees ciphertext alone.
function attestedAgent(manifest) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = ({ host, port }, done) => {
    const [toHost, toPort] = (process.env.CONNECT_TO ?? `${host}:${port}`).split(/:(?=\d+$)/);
    const servername = /^[\d.]+$|:/.test(host) ? undefined : host;
    const socket = tlsConnect({ host: toHost, port: Number(toPort), servername, rejectUnauthorized: false });
    socket.once("error", done);
    socket.once("secureConnect", () => {
      const spki = socket.getPeerX509Certificate().publicKey.export({ type: "spki", format: "der" });
      const isAttested = timingSafeEqual(sha256(spki), Buffer.from(manifest.tls_spki, "hex"));
      if (!isAttested) socket.destroy();
      done(isAttested ? null : new NotBelieved("the connection has another key than the enclave: somebody is between"), socket);
    });
  };
  return agent;
}

function ask(agent, url, { method = "GET", headers = {}, body = "" } = {}) {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(url, { method, headers: { ...headers, "Content-Length": Buffer.byteLength(body) }, agent });
    const deadline = setTimeout(() => asked.destroy(new Error("not answered in time")), TIMEOUT_MS);
    asked.on("error", reject);
    asked.on("close", () => clearTimeout(deadline));
    asked.on("response", (answer) => {
      const pieces = [];
      let length = 0;
      answer.on("error", reject);
      answer.on("data", (piece) => {
        length += piece.length;
        if (length > MAX_ANSWER_BYTES) answer.destroy(new Error("too long an answer"));
        else pieces.push(piece);
      });
      answer.on("end", () => {
        const type = (answer.headers["content-type"] ?? "").split(";")[0].trim().toLowerCase();
        resolve({ status: answer.statusCode, type, body: Buffer.concat(pieces) });
      });
    });
    asked.end(body);
  });
}

// 3. The published keys are the enclave's where their digest stands in the manifest. Whoever carries the bytes could
// otherwise publish keys of their own.
async function attestedKeys(agent, url, manifest) {
  const { status, body } = await ask(agent, new URL("/.well-known/jwks.json", url));
  need(status === 200, `the enclave has no keys now (${status})`);
  need(sha256(body).toString("hex") === manifest.jwks, "the published keys are not those of the manifest: verify again");
  const { keys } = JSON.parse(body);
  return {
    recipient: keys.find((key) => key.use === "enc" && key.alg === "ECDH-ES"),
    signers: new Map(keys.filter((key) => key.use === "sig" && key.alg === "ES256").map((key) => [key.kid, key])),
  };
}

// 4. Sealed to the enclave; `reply_jwk` is of this request alone, and only its other half opens the answer.
async function seal(recipient, path, body) {
  const { publicKey, privateKey } = await generateKeyPair("ECDH-ES", { crv: "P-256" });
  const { kty, crv, x, y } = await exportJWK(publicKey);
  const reply = { kty, crv, x, y };
  const header = {
    alg: "ECDH-ES",
    enc: "A256GCM",
    kid: recipient.kid,
    cty: "application/json",
    path,
    iat: nowSeconds(),
    reply_jwk: { ...reply, kid: await calculateJwkThumbprint(reply) },
  };
  const text = await new CompactEncrypt(body).setProtectedHeader(header).encrypt(await importJWK(recipient, "ECDH-ES"));
  return { text, privateKey, iat: header.iat };
}

// 5. Anybody who saw the request can seal something to `reply_jwk`: the signature says that the enclave did, and `req`
// that it answers this request.
async function openAnswer(answer, sealed, signers) {
  need(answer.type === "application/jose", `answered ${answer.status} in the clear, for which nobody vouches`);
  const algorithms = { keyManagementAlgorithms: ["ECDH-ES"], contentEncryptionAlgorithms: ["A256GCM"] };
  const { plaintext } = await compactDecrypt(answer.body.toString("latin1"), sealed.privateKey, algorithms);
  const { payload, protectedHeader } = await compactVerify(
    plaintext,
    async ({ kid }) => {
      need(signers.has(kid), "signed by a key that is not the enclave's");
      return importJWK(signers.get(kid), "ES256");
    },
    { algorithms: ["ES256"] },
  );
  const { req, status, iat } = protectedHeader;
  need(req === sha256(sealed.text).toString("base64url"), "an answer to another request");
  need(Number.isInteger(status) && status >= 200 && status <= 599, "an answer without a status");
  need(iat >= sealed.iat - CLOCK_S && iat <= nowSeconds() + CLOCK_S, "an answer that is not of now");
  return { status, body: Buffer.from(payload) };
}

// An enclave that has just started takes only what was sealed since: it has not acted upon the request, and its own,
// signed word for that is reason enough to make it again. The same said in the clear would not be.
function isTooEarly({ status, body }) {
  return status === 503 && body.includes('"code":"iat_before_start"');
}

async function main(url, file, options) {
  const body = readFileSync(file);
  const manifest = verifiedManifest(url, options);
  const agent = attestedAgent(manifest);
  try {
    const { recipient, signers } = await attestedKeys(agent, url, manifest);
    const call = async () => {
      const sealed = await seal(recipient, new URL(url).pathname, body);
      const asked = { method: "POST", headers: { "Content-Type": "application/jose" }, body: sealed.text };
      return openAnswer(await ask(agent, url, asked), sealed, signers);
    };
    let answer = await call();
    for (let tries = 1; tries < MAX_TRIES && isTooEarly(answer); tries++) {
      await pause(1000);
      answer = await call();
    }
    process.stdout.write(answer.body);
    if (answer.status >= 300) console.error(`client: the enclave answered ${answer.status} (verified)`);
    return answer.status < 300 ? 0 : 4;
  } finally {
    agent.destroy();
  }
}

const [url, file, ...options] = process.argv.slice(2);
if (!file || !/^https:\/\//.test(url)) {
  console.error("usage: node client.mjs https://HOST[:PORT]/PATH REQUEST.json [option of `teegate attest verify`]...");
  process.exitCode = 1;
} else {
  process.exitCode = await main(url, file, options).catch((error) => {
    console.error(`client: ${error.message}`);
    return 1;
  });
}

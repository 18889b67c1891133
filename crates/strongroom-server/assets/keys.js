// This browser's signing keys: made here, not extractable, kept in IndexedDB, one per person.
// Nothing in this file, and no other script, can read the private half; it can only ask for a
// signature.

const ED25519 = { name: "Ed25519" };
const P256 = { name: "ECDSA", namedCurve: "P-256" };
const STORE = "keys";

/** The person's key in this browser: {user, algorithm, keyPair, jwk, device} or undefined. */
export async function find(user) {
  return within("readonly", (store) => store.get(user));
}

/** Makes a key for the person. It signs nothing until the bank knows it under a device id. */
export async function make(user) {
  const { keyPair, algorithm } = await generate();
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", keyPair.publicKey);
  const jwk = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
  const key = { user, algorithm, keyPair, jwk, device: null };
  await within("readwrite", (store) => store.put(key));
  return key;
}

/** Notes the device id under which the bank knows the key. */
export async function register(key, device) {
  await within("readwrite", (store) => store.put({ ...key, device }));
}

/** A detached JWS (RFC 7515 appendix F, RFC 7797) over exactly these bytes. */
export async function signDetached(key, { purpose, audience, expires_s }, body) {
  const protectedHeader = JSON.stringify({
    alg: key.algorithm,
    kid: key.device,
    typ: purpose,
    aud: audience,
    exp: expires_s,
    b64: false,
    crit: ["b64"],
  });
  const head = base64url(new TextEncoder().encode(protectedHeader));
  const input = concatenated(new TextEncoder().encode(head + "."), body);
  const scheme = key.algorithm === "EdDSA" ? ED25519 : { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(scheme, key.keyPair.privateKey, input);
  return `${head}..${base64url(new Uint8Array(signature))}`;
}

/** A time-ordered random id (UUID version 7). */
export function orderId(time_ms) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(time_ms) << 16n) | 0x7000n | BigInt(((bytes[6] & 0x0f) << 8) | bytes[7]));
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

async function generate() {
  try {
    return { keyPair: await crypto.subtle.generateKey(ED25519, false, ["sign", "verify"]), algorithm: "EdDSA" };
  } catch {
    return { keyPair: await crypto.subtle.generateKey(P256, false, ["sign", "verify"]), algorithm: "ES256" };
  }
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function concatenated(first, second) {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

async function within(mode, act) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("strongroom", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "user" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// Passkeys, between the browser and the server: bytes go over the wire as base64url, and as buffers to the browser.
import { tell } from "./api.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const ALGORITHMS = [-7, -8, -257].map((alg) => ({ type: "public-key", alg })); // ES256, EdDSA, RS256

// Why there can be no passkeys at this address; nothing where there can.
export function whyNone() {
  if (/^[\d.]+$|^\[/.test(location.hostname)) {
    const name = location.hostname.startsWith("127.") || location.hostname === "[::1]" ? " (localhost, on this machine)" : "";
    return `An address that is an IP can't have passkeys: open this server by its name${name}.`;
  }
  if (!isSecureContext) return "Without TLS there are no passkeys: open this server by https.";
  return window.PublicKeyCredential ? undefined : "This browser knows no passkeys.";
}

// What the browser says when its reader cancels, or waits too long, is for nobody to read.
async function asked(what) {
  try {
    return await what;
  } catch (error) {
    if (error.name === "InvalidStateError") throw new Error("This device has a passkey for the account already.");
    if (error.name === "NotAllowedError") throw new Error("The browser gave no passkey: it was cancelled, or there is none.");
    throw error;
  }
}

export async function addPasskey(name) {
  const offer = await tell("POST", "accounts/v1/me/passkeys/begin", {});
  const made = await asked(navigator.credentials.create({
    publicKey: {
      challenge: bytes(offer.challenge),
      rp: { id: offer.rp_id, name: offer.rp_name },
      user: { id: bytes(offer.user_id), name: offer.user_login, displayName: offer.user_name },
      pubKeyCredParams: ALGORITHMS,
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      excludeCredentials: offer.known.map((id) => ({ type: "public-key", id: bytes(id) })),
      attestation: "none",
      timeout: offer.timeout_ms,
    },
  }));
  const { clientDataJSON, attestationObject } = made.response;
  return tell("POST", "accounts/v1/me/passkeys", { name, client_data: text(clientDataJSON), attestation: text(attestationObject) });
}

export const removePasskey = (id) => tell("DELETE", `accounts/v1/me/passkeys/${encodeURIComponent(id)}`);

// For `Authorization`, when signing in: whoever the reader chooses in the browser's list.
export async function byPasskey() {
  const given = await tell("POST", "accounts/v1/passkeys/challenge", {});
  const shown = await asked(navigator.credentials.get({
    publicKey: { challenge: bytes(given.challenge), rpId: given.rp_id, userVerification: "required", timeout: given.timeout_ms },
  }));
  const { clientDataJSON, authenticatorData, signature, userHandle } = shown.response;
  if (!userHandle) throw new Error("This passkey doesn't say whose it is: sign in by your password, and add it anew.");
  return `Passkey ${text(new TextEncoder().encode(JSON.stringify({
    id: new TextDecoder().decode(userHandle).split(".")[0], // the rest tells sites of one name apart
    credential: text(shown.rawId),
    client_data: text(clientDataJSON),
    authenticator_data: text(authenticatorData),
    signature: text(signature),
  })))}`;
}

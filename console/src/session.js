// Who the reader is to the server, and how that changes. Secrets pass through here on their way to the server and are kept nowhere: what
// stays is a cookie that no script can read.
import { forgetAnswers, get, refusal, report, whenUnauthorized } from "./api.js";
import { store } from "./store.js";

const PATH = "_gantry/v1/session";
const RETRY_MS = 1000;
const RETRY_MAX_MS = 10000;

// Undefined until the server told it; then { caller, open, anonymous, scopes }, and `why` (a problem) where a session ended by itself.
const session = store(undefined);
export const useSession = () => session.use();
// A caller's name, without what its id has before it.
export const nameOf = ({ caller }) => caller.replace(/^u_/, "");

function settle(told) {
  const before = session.get();
  if (before?.caller !== told.caller) forgetAnswers();
  if (!before || before.caller !== told.caller || before.anonymous !== told.anonymous || before.open !== told.open) session.set(told);
}

// Asks until the server answers.
export async function findSession() {
  for (let wait_ms = RETRY_MS; ; wait_ms = Math.min(wait_ms * 2, RETRY_MAX_MS)) {
    try {
      const told = await get(PATH);
      report("live");
      return settle(told);
    } catch (error) {
      report(error.status && error.status < 500 ? "live" : "offline");
      // Whoever is refused even this, by the address say, reads why.
      if (error.status && error.status < 500) return session.set({ refused: error });
      await new Promise((rested) => setTimeout(rested, wait_ms));
    }
  }
}

// A 401 on any way leads to signing in, once the server confirms that it doesn't know the reader: one that was under way while somebody
// signed in doesn't.
let asking = false;
whenUnauthorized(async (why) => {
  if (asking || !session.get() || session.get().anonymous) return;
  asking = true;
  try {
    const told = await get(PATH);
    settle(told.anonymous ? { ...told, why } : told);
  } catch {
    // The page that met the 401 shows it, and asks again.
  } finally {
    asking = false;
  }
});

// Another tab may have signed in meanwhile.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && session.get()?.anonymous) get(PATH).then(settle, () => {});
});

async function send(method, path, headers = {}) {
  const reply = await fetch(path, { method, headers: { accept: "application/json", ...headers }, cache: "no-store" }).catch(() => {
    throw new Error("The server doesn't answer.");
  });
  if (!reply.ok) throw await refusal(reply);
}

export const byPassword = (name, password) => `Basic ${base64(`${name}:${password}`)}`;
export const byToken = (token) => `Bearer ${token}`;
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

// A passkey's word comes from passkeys.js. `code`: of an authenticator, where the account asks for one.
export async function signIn(authorization, code) {
  await send("POST", PATH, { authorization, ...(code && { "gantry-code": code }) });
  const told = await get(PATH);
  if (told.anonymous)
    throw new Error("This browser doesn't keep the session's cookie: allow cookies for this address.");
  settle(told);
}

// What is left then: nobody; or one whom a proxy or a certificate names, whom no cookie made.
export async function signOut() {
  await send("DELETE", PATH);
  settle(await get(PATH));
}

export const ownSessions = () => get("_gantry/v1/sessions").then((told) => told.items);
export const endOtherSessions = () => send("DELETE", "_gantry/v1/sessions");
export const endSession = (handle) => send("DELETE", `_gantry/v1/sessions/${encodeURIComponent(handle)}`);

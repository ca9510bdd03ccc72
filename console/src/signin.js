// Signing in, where the server has callers; and the menu of who is signed in.
import { useEffect, useRef, useState } from "preact/hooks";
import { byPasskey, whyNone } from "./passkeys.js";
import { byPassword, byToken, endOtherSessions, endSession, nameOf, ownSessions, signIn, signOut } from "./session.js";
import { Age, html, Problem } from "./ui.js";

const WAYS = { password: "Name and password", token: "Token" };

// `hint`: the name to begin with; `then`: what to do once somebody is in.
export function SignIn({ why, hint = "", then }) {
  const [way, setWay] = useState("password");
  const [error, setError] = useState(why);
  const [busy, setBusy] = useState(false);
  const wait_s = useCountdown(error);
  const [asksCode, setAsksCode] = useState(false);
  const form = useRef();
  useEffect(() => form.current.querySelector("input:not([type=radio])").focus(), [way]);
  const submit = async (event) => {
    event.preventDefault();
    if (busy || wait_s > 0) return;
    const { name, secret, code } = form.current.elements;
    setBusy(true);
    try {
      if (name?.value.includes(":")) throw new Error("A name has no colon.");
      await signIn(way === "token" ? byToken(secret.value.trim()) : byPassword(name.value, secret.value), code?.value.trim());
      then?.();
    } catch (refused) {
      setError(refused);
      setBusy(false);
      if (refused.code === "code_missing" || refused.code === "code_wrong") return setAsksCode(true);
      secret.value = "";
      secret.focus();
    }
  };
  const none = whyNone();
  const passkey = async () => {
    setBusy(true);
    try {
      await signIn(await byPasskey());
      then?.();
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  };
  return html`
    <section class="signin" aria-labelledby="signin">
      <h1 id="signin">Sign in</h1>
      ${error && html`<${Problem} error=${error} />`}
      <form ref=${form} onSubmit=${submit}>
        <fieldset><legend class="unseen">By</legend>${Object.entries(WAYS).map(([key, label]) => html`
          <label key=${key}><input type="radio" name="way" checked=${way === key} onChange=${() => setWay(key)} /> ${label}</label>`)}
        </fieldset>
        ${way === "password" && html`<label key="name">Name <input name="name" autocomplete="username" defaultValue=${hint}
          autocapitalize="off" spellcheck="false" required maxlength="200" /></label>`}
        <label key=${way}>${way === "token" ? "Token" : "Password"} <input name="secret" type="password" required maxlength="8192"
          autocomplete=${way === "token" ? "off" : "current-password"} /></label>
        ${way === "password" && asksCode && html`<label key="code">Code <input name="code" autocomplete="one-time-code" required
          maxlength="40" autofocus /></label>`}
        <button class="button" disabled=${busy || wait_s > 0}>${busy ? "Signing in…" : "Sign in"}</button>
        ${wait_s > 0 && html`<p class="quiet wait">Too many tries: the next one in ${wait_s} s.</p>`}
      </form>
      ${none
        ? html`<p class="quiet" data-none>${none}</p>`
        : html`<p><button type="button" class="button" disabled=${busy || wait_s > 0} onClick=${passkey}>
            Sign in with a passkey</button></p>`}
      <p class="quiet">Who runs the server gives access: <code>gantry auth add NAME --password</code>.</p>
    </section>`;
}

// The seconds that are left of the wait that an error asks for.
function useCountdown(error) {
  const [left_s, setLeft] = useState(0);
  useEffect(() => {
    const until = Date.now() + (error?.wait_s ?? 0) * 1000;
    const count = () => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    count();
    const timer = setInterval(count, 250);
    return () => clearInterval(timer);
  }, [error]);
  return left_s;
}

export function Account({ session }) {
  const [isOpen, setOpen] = useState(false);
  const menu = useRef();
  const close = (event) => {
    if (event.key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    menu.current.open = false;
    menu.current.querySelector("summary").focus();
  };
  return html`
    <details class="account" ref=${menu} onToggle=${(event) => setOpen(event.currentTarget.open)} onKeyDown=${close}>
      <summary>${nameOf(session)}</summary>
      ${isOpen && html`<${AccountMenu} session=${session} />`}
    </details>`;
}

function AccountMenu({ session }) {
  const [sessions, setSessions] = useState();
  const [error, setError] = useState();
  const [said, setSaid] = useState("");
  const attempt = (act) => act().then(() => setError(undefined), setError);
  const load = () => attempt(async () => setSessions(await ownSessions()));
  useEffect(() => void load(), []);
  const end = (act, saying) =>
    attempt(async () => {
      await act();
      setSaid(saying);
      await load();
    });
  const endOne = (handle) => end(() => endSession(handle), "That session is over.");
  const endOthers = () => end(endOtherSessions, "The other sessions are over.");
  const bySession = sessions?.some((s) => s.current);
  return html`
    <div class="menu">
      <p>Signed in as <b>${nameOf(session)}</b></p>
      <p class="quiet">May: ${session.scopes.length ? session.scopes.map((s) => html`<code>${s}</code> `) : "nothing"}</p>
      ${error && html`<${Problem} error=${error} />`}
      ${sessions && html`<h3>Sessions</h3>
        <ul class="sessions">${sessions.map((s) => html`<li key=${s.handle}>
          <span><span title=${s.device}>${device(s.device)}</span> <span class="quiet">${s.address}, ${s.current
            ? html`<b>this one</b>`
            : html`seen <${Age} at=${s.seen_at} ago />`}</span></span>
          ${!s.current && html`<button type="button" class="button small" onClick=${() => endOne(s.handle)}
            aria-label=${`End the session of ${device(s.device)}, ${s.address}`}>End</button>`}</li>`)}</ul>`}
      <p role="status">${said}</p>
      <p class="buttons">
        ${sessions?.some((s) => !s.current) && html`<button type="button" class="button" onClick=${endOthers}>End all others</button>`}
        <a class="button" href="#/me">Your account</a>
        ${bySession && html`<button type="button" class="button" onClick=${() => attempt(signOut)}>Sign out</button>`}
      </p>
      ${sessions && !bySession &&
        html`<p class="quiet">A certificate or a proxy says who you are: there is nothing to sign out of here.</p>`}
    </div>`;
}

// "Firefox 140, X11" of what a browser calls itself.
function device(agent) {
  const [, name, version] = agent.match(/(Firefox|Edg|OPR|Chrome|Version)\/(\d+)/) ?? [];
  const system = agent.match(/\(([^;)]+)/)?.[1];
  return name ? `${name === "Version" ? "Safari" : name} ${version}${system ? `, ${system}` : ""}` : agent.slice(0, 40) || "unknown device";
}

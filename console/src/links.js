// What a link of the accounts opens: "#/setup/PROOF" makes the first account, "#/verify/u_17/ADDRESS/PROOF" proves a mail address,
// "#/signin/once/QUERY" signs in and goes on to the tool that asked; "#/signin/anew/QUERY" does so for one who is signed in, too.
import { useEffect, useRef, useState } from "preact/hooks";
import { refusal } from "./api.js";
import { byPassword, signIn, useSession } from "./session.js";
import { SignIn } from "./signin.js";
import { html, Problem } from "./ui.js";

async function post(path, body) {
  const headers = { "content-type": "application/json" };
  const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => {
    throw new Error("The server doesn't answer.");
  });
  if (!reply.ok) throw await refusal(reply);
}

function SetUp({ proof }) {
  const [error, setError] = useState();
  const [busy, setBusy] = useState(false);
  const form = useRef();
  const submit = async (event) => {
    event.preventDefault();
    const { name, email, password } = form.current.elements;
    setBusy(true);
    try {
      await post("accounts/v1/setup", { proof, name: name.value, email: email.value, password: password.value });
      await signIn(byPassword(email.value, password.value));
      location.hash = "#/";
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  };
  return html`
    <section class="signin" aria-labelledby="setup">
      <h1 id="setup">The first account</h1>
      <p class="quiet">It may do everything, and makes the others.</p>
      ${error && html`<${Problem} error=${error} />`}
      <form ref=${form} onSubmit=${submit}>
        <label>Name <input name="name" autocomplete="name" required maxlength="120" /></label>
        <label>Mail address <input name="email" type="email" autocomplete="username" required maxlength="254" /></label>
        <label>Password <input name="password" type="password" autocomplete="new-password" required minlength="8"
          maxlength="1024" /></label>
        <button class="button" disabled=${busy}>${busy ? "Making it…" : "Make the account"}</button>
      </form>
    </section>`;
}

function Verify({ id, email, proof }) {
  const [done, setDone] = useState(false);
  const [error, setError] = useState();
  useEffect(() => void post("accounts/v1/emails/verify", { id, email, proof }).then(() => setDone(true), setError), []);
  return html`
    <section class="signin" aria-labelledby="verify">
      <h1 id="verify">Mail address</h1>
      ${error && html`<${Problem} error=${error} />`}
      ${done && html`<p role="status">${email} is verified. <a href="#/">Go on</a></p>`}
    </section>`;
}

// The way on is always to the provider, which looks at the request anew: nothing here can send the reader elsewhere.
function GoOn({ anew, query }) {
  const session = useSession();
  const [isLeaving, setLeaving] = useState(false);
  const left = useRef(false);
  const leave = () => {
    if (left.current) return;  // the tool knows each request once
    left.current = true;
    setLeaving(true);
    location.replace(`accounts/oidc/authorize?${query}`);
  };
  const isIn = !session.anonymous;
  useEffect(() => void (isIn && !anew && leave()), [isIn]);
  if (isLeaving || (isIn && !anew)) return html`<p class="empty" role="status">Going on to the tool…</p>`;
  const hint = new URLSearchParams(query).get("login_hint") ?? "";
  return html`
    <p class="quiet">A tool asks who you are${isIn && ", and wants you to sign in once more"}.</p>
    <${SignIn} why=${session.why} hint=${hint} then=${leave} />`;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function linkOf(hash) {
  const [kind, ...parts] = hash.replace(/^#\/?/, "").split("/").map(decode);
  if (kind === "setup" && parts.length === 1) return html`<${SetUp} proof=${parts[0]} />`;
  if (kind === "verify" && parts.length === 3) return html`<${Verify} id=${parts[0]} email=${parts[1]} proof=${parts[2]} />`;
  if (kind === "signin" && parts.length === 2) return html`<${GoOn} anew=${parts[0] === "anew"} query=${parts[1]} />`;
  return undefined;
}

export function Link({ hash }) {
  return Link.opens(hash) ? linkOf(hash) : null;
}
Link.opens = (hash) => /^#\/(setup\/[^/]+|verify\/u_\d+\/[^/]+\/[^/]+|signin\/(once|anew)\/[^/]+)$/.test(hash);

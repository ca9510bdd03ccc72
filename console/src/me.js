// The reader's own account: the passkeys by which one signs in.
import { useRef, useState } from "preact/hooks";
import { useLive } from "./api.js";
import { addPasskey, removePasskey, whyNone } from "./passkeys.js";
import { Age, html, Problem } from "./ui.js";

function Page({ query }) {
  const { data, error } = useLive("accounts/v1/me/passkeys");
  const [refused, setRefused] = useState();
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const form = useRef();
  const none = whyNone();
  const act = async (what, saying) => {
    setBusy(true);
    try {
      await what();
      setRefused(undefined);
      setSaid(saying);
    } catch (problem) {
      setRefused(problem);
    }
    setBusy(false);
  };
  const add = (event) => {
    event.preventDefault();
    const { name } = form.current.elements;
    return act(async () => {
      await addPasskey(name.value.trim());
      name.value = "";
    }, "The passkey is added.");
  };
  if (error) return html`<h1>Your account</h1><${Problem} error=${error} />`;
  if (!data) return html`<p class="empty">Loading…</p>`;
  const shown = data.items.filter((passkey) => passkey.name.toLowerCase().includes((query ?? "").toLowerCase()));
  return html`
    <h1>Your account</h1>
    <h2>Passkeys</h2>
    <p class="quiet">A passkey signs you in alone: the device that has it asks for your finger, face or PIN.</p>
    ${refused && html`<${Problem} error=${refused} />`}
    <ul class="sessions passkeys">${shown.map((passkey) => html`<li key=${passkey.id} data-passkey=${passkey.id}>
      <span>${passkey.name} <span class="quiet">added <${Age} at=${passkey.added_at} ago />, ${passkey.used_at
        ? html`used <${Age} at=${passkey.used_at} ago />`
        : "not used yet"}</span></span>
      <button type="button" class="button small" disabled=${busy} aria-label=${`Remove the passkey ${passkey.name}`}
        onClick=${() => act(() => removePasskey(passkey.id), "The passkey is removed. Sessions that it opened go on until you end them.")}
        >Remove</button></li>`)}</ul>
    ${data.items.length === 0 && html`<p class="empty">You have none yet.</p>`}
    ${none
      ? html`<p class="quiet" data-none>${none}</p>`
      : html`<form ref=${form} class="buttons" onSubmit=${add}>
          <label>Name <input name="name" required maxlength="120" placeholder="This laptop" autocomplete="off" /></label>
          <button class="button" disabled=${busy}>${busy ? "Asking the device…" : "Add a passkey"}</button>
        </form>`}
    <p role="status">${said}</p>`;
}

export const page = { name: "me", title: "Your account", find: "Find a passkey", Page, unlisted: true };

// The tools that the reader may use by signing in here once.
import { useLive } from "./api.js";
import { html, Problem } from "./ui.js";

function Page({ query }) {
  const { data, error } = useLive("accounts/v1/me/tools");
  if (error) return html`<h1>Tools</h1><${Problem} error=${error} />`;
  if (!data) return html`<p class="empty">Loading…</p>`;
  const shown = data.items.filter((tool) => tool.name.toLowerCase().includes((query ?? "").toLowerCase()));
  return html`
    <h1>Tools</h1>
    <p class="quiet">You are signed in to all of them.</p>
    <ul class="tools">${shown.map((tool) => html`<li key=${tool.id} data-tool=${tool.id}>
      <a data-row href=${tool.home} rel="noreferrer">${tool.name}</a> <span class="quiet">${host(tool.home)}</span></li>`)}</ul>
    ${data.items.length === 0 && html`<p class="empty">There are no tools for you yet.</p>`}
    ${data.items.length > 0 && shown.length === 0 && html`<p class="empty">No tool has <q>${query}</q> in its name.</p>`}`;
}

const host = (url) => (URL.canParse(url) ? new URL(url).host : url);

export const page = { name: "portal", title: "Tools", find: "Find a tool", Page };

// The source maps of a project, and the line that sends one.
import { useEffect, useRef, useState } from "preact/hooks";
import { tell, useLive } from "./api.js";
import { API, Told, useCommand } from "./oops_parts.js";
import { Copyable, intakeOf } from "./oops_setup.js";
import { useSession } from "./session.js";
import { bytes } from "./status.js";
import { Age, html, Problem } from "./ui.js";

const LIST_MAX = 1000; // as many as a project has at most

function lineOf(project, session) {
  const token = session.open ? "" : `-H "Authorization: Bearer $(cat ci.token)" `;
  return `curl ${token}-T app.js.map \\\n  ${intakeOf(project, "source-maps/DEBUG_ID")}`;
}

export function SourceMaps({ project }) {
  const url = `${API}/projects/${project.project}/source-maps`;
  const { data, error } = useLive(`${url}?limit=${LIST_MAX}`);
  const session = useSession();
  const command = useCommand();
  const [asked, setAsked] = useState();
  const drop = (id) => command.run(() => tell("DELETE", `${url}/${encodeURIComponent(id)}`), `The map of ${id} is forgotten.`);
  const items = data?.items;
  return html`
    <section aria-labelledby="maps">
      <h3 id="maps">Source maps <span class="quiet">reports of generated JavaScript are shown and grouped by their sources</span></h3>
      <p>A build sends the map of each of its files by the debug id that the bundler put into both${" "}
        (<code>//# debugId=…</code>, <code>"debugId"</code>)${session.open ? "" : ", as a caller with the scope oops:write"}:</p>
      <${Copyable} name="the line that sends a map" text=${lineOf(project, session)} />
      ${(command.error ?? error) && html`<${Problem} error=${command.error ?? error} />`}
      <p class="outcome quiet" role="status">${command.said}</p>
      ${items?.length === 0 && html`<p class="empty">There is no source map yet.</p>`}
      ${items?.length > 0 && html`
        <table class="told-table maps">
          <thead><tr><th scope="col">debug id</th><th scope="col" class="wide">file</th><th scope="col" class="number">size</th>
            <th scope="col" class="number">kept</th><td></td></tr></thead>
          <tbody>${items.map((map) => html`<${Row} key=${map.debug_id} map=${map} isAsked=${asked === map.debug_id} ask=${setAsked}
            drop=${drop} busy=${command.busy} />`)}</tbody>
        </table>`}
    </section>`;
}

// What is deleted has to be sent again: it is asked for twice. The keyboard follows the question, and comes back from it.
function Row({ map, isAsked, ask, drop, busy }) {
  const { debug_id: id } = map;
  const place = useRef();
  const was = useRef(isAsked);
  useEffect(() => {
    if (was.current !== isAsked) place.current.querySelector("button").focus();
    was.current = isAsked;
  }, [isAsked]);
  const answer = (yes) => () => {
    ask(undefined);
    if (yes) drop(id);
  };
  const onKey = (event) => {
    if (event.key !== "Escape" || !isAsked) return;
    event.stopPropagation();
    ask(undefined);
  };
  return html`
    <tr data-map=${id} onKeyDown=${onKey}>
      <th scope="row"><code>${id}</code></th><td class="wide"><${Told} text=${map.file || "–"} /></td>
      <td class="number">${bytes(map.size_bytes)}</td><td class="number"><${Age} at=${map.kept_at} ago /></td>
      <td><div class="buttons" ref=${place}>${isAsked
        ? html`<button type="button" class="button small" key="yes" disabled=${busy} onClick=${answer(true)}>Delete for good</button>
            <button type="button" class="button small" onClick=${answer(false)}>Keep</button>`
        : html`<button type="button" class="button small" key="ask" disabled=${busy} aria-label=${`Delete the map of ${id}`}
            onClick=${() => ask(id)}>Delete…</button>`}</div></td>
    </tr>`;
}

// How programs are told where to report: the DSN of a project, and a few lines for each kind of client.
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "./api.js";
import { API } from "./oops_parts.js";
import { html, Problem } from "./ui.js";

// The modules of these lines are none of ours.
const quoted = (module) => `"${module}"`;

// What stands in these lines comes from the server's own answer.
function snippets({ dsn, key, project }) {
  const at = dsn.replace(/\/\/[^@]*@/, "//").replace(/\/\d+$/, "");
  return [
    ["Node: Sentry's SDK", `import * as Sentry from ${quoted("@sentry/node")};

Sentry.init({
  dsn: "${dsn}",
  release: "shop@1.4.2",
  environment: "live",
});`],
    ["Browser: Sentry's SDK", `import * as Sentry from ${quoted("@sentry/browser")};

Sentry.init({ dsn: "${dsn}", release: "shop@1.4.2" });`],
    ["Python: Sentry's SDK", `import sentry_sdk

sentry_sdk.init(dsn="${dsn}", release="shop@1.4.2", environment="live")`],
    ["Python: WSGI middleware, with a timeline and an id to show", `import gantry_oops

application = gantry_oops.wsgi(application, dsn="${dsn}", revno="212")`],
    ["Python: logging", `import gantry_oops

gantry_oops.install(dsn="${dsn}")`],
    ["Anything else: one POST", `curl -H 'X-Oops-Auth: ${key}' -H 'Content-Type: application/json' \\
  -d '{"type":"Cron","value":"the nightly backup failed"}' \\
  ${at}/api/${project}/report`],
  ];
}

// Told to new projects unasked, and still there when the first report comes. The DSN is asked for by itself: it says where this reader
// reaches the server, which an answer that several live readers share can't know.
export function Setup({ project }) {
  const [isNew] = useState(project.reports === 0);
  const [told, setTold] = useState();
  const [error, setError] = useState();
  useEffect(() => void get(`${API}/projects/${project.project}`).then(setTold, setError), [project.project]);
  return html`
    <details class="setup" open=${isNew}>
      <summary>How programs report here</summary>
      <p>The DSN holds the project's key: whoever has it may report, and nothing else.</p>
      ${error && html`<${Problem} error=${error} />`}
      ${told && html`<${Copyable} name="DSN" text=${told.dsn} />
        ${snippets(told).map(([name, text]) => html`
          <details key=${name} name="snippet"><summary>${name}</summary><${Copyable} name=${name} text=${text} /></details>`)}`}
    </details>`;
}

// Browsers give the clipboard to secure pages alone: elsewhere the text is selected.
function Copyable({ name, text }) {
  const place = useRef();
  const [said, setSaid] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("copied");
    } catch {
      getSelection().selectAllChildren(place.current);
      setSaid("selected: copy it by Ctrl+C");
    }
  };
  return html`
    <div class="copyable">
      <pre><code ref=${place}>${text}</code></pre>
      <button type="button" class="button small" aria-label=${`Copy: ${name}`} onClick=${copy}>copy</button>
      <span class="quiet" role="status">${said}</span>
    </div>`;
}

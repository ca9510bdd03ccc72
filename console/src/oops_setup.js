// How programs are told where to report: the DSN of a project, and a few lines for each kind of client.
import { useRef, useState } from "preact/hooks";
import { html } from "./ui.js";

// The modules of these lines are none of ours.
const quoted = (module) => `"${module}"`;

// As the server is configured to be reached, else where this reader reaches it.
const serverOf = ({ dsn, project }) => (dsn ? dsn.replace(/\/\/[^@/]*@/, "//").slice(0, -`oops/${project}`.length) : document.baseURI);
export function dsnOf(project) {
  return project.dsn ?? new URL(`oops/${project.project}`, document.baseURI).href.replace("://", `://${project.key}@`);
}
export const intakeOf = (project, what) => new URL(`oops/api/${project.project}/${what}`, serverOf(project)).href;

function snippets(project) {
  const dsn = dsnOf(project);
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
    ["Anything else: one POST", `curl -H 'X-Oops-Auth: ${project.key}' -H 'Content-Type: application/json' \\
  -d '{"type":"Cron","value":"the nightly backup failed"}' \\
  ${intakeOf(project, "report")}`],
  ];
}

// Told to new projects unasked, and still there when the first report comes.
export function Setup({ project }) {
  const [isNew] = useState(project.reports === 0);
  return html`
    <details class="setup" open=${isNew}>
      <summary>How programs report here</summary>
      <p>The DSN holds the project's key: whoever has it may report, and nothing else.</p>
      <${Copyable} name="DSN" text=${dsnOf(project)} />
      ${snippets(project).map(([name, text]) => html`
        <details key=${name} name="snippet"><summary>${name}</summary><${Copyable} name=${name} text=${text} /></details>`)}
    </details>`;
}

// Browsers give the clipboard to secure pages alone: elsewhere the text is selected.
export function Copyable({ name, text }) {
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

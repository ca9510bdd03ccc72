// The rules of a project on how its reports are grouped: written, tried, set, and used for what came before.
import { useEffect, useRef, useState } from "preact/hooks";
import { tell, useLive } from "./api.js";
import { numberIn } from "./form.js";
import { API, count, groupLink, keepEscape, Told, useCommand } from "./oops_parts.js";
import { Moves, Regroups } from "./oops_regroups.js";
import { html, Problem } from "./ui.js";

const EXAMPLE = `# what is vendored isn't ours
path:*/vendor/* -> in_app:false
message:"timeout *" -> fingerprint: timeout {{ type }}
tag.queue:mail !environment:production -> fingerprint: mail {{ default }}
type:Http404 -> title: "page not found"`;

export function Rules({ project }) {
  const number = project.project;
  const { data, error } = useLive(`${API}/projects/${number}/rules`);
  const rules = useDraft(data?.text);
  if (!data) return error ? html`<${Problem} error=${error} />` : html`<p class="empty">Loading…</p>`;
  return html`
    <${Editor} number=${number} rules=${rules} />
    <${Try} number=${number} rules=${rules} />
    <${Regroups} number=${number} isDraft=${rules.isDraft} />
    <${Moves} number=${number} />`;
}

// { text, isDraft, isOvertaken, write(text), drop() }: what the server has, until somebody writes something else. Overtaken: the server's
// is another one than the one that was begun with.
function useDraft(now) {
  const [draft, setDraft] = useState();
  const isSet = draft?.text === now;
  useEffect(() => {
    if (isSet) setDraft(undefined);
  }, [isSet]);
  return {
    text: draft?.text ?? now,
    isDraft: draft !== undefined && !isSet,
    isOvertaken: draft !== undefined && draft.from !== now && !isSet,
    write: (text) => setDraft((was) => ({ text, from: was ? was.from : now })),
    drop: () => setDraft(undefined),
  };
}

// A refusal of rules says the line: which is shown with it.
function RulesProblem({ id, error, text }) {
  const line = lineOf(error);
  return html`<div id=${id}><${Problem} error=${error} />${line > 0 && html`
    <pre class="context wrong-line"><span class="here"><i>${line}</i>${text.split("\n")[line - 1]}</span></pre>`}</div>`;
}
const lineOf = (error) => Number(error.message.match(/^line (\d+):/)?.[1] ?? 0);
const withText = (text) => (error) => Promise.reject(Object.assign(error, { text }));

function Editor({ number, rules }) {
  const command = useCommand();
  const area = useRef();
  const { error } = command;
  useEffect(() => {
    if (error && lineOf(error)) choose(area.current, lineOf(error));
  }, [error]);
  const set = (event) => {
    event.preventDefault();
    const { text } = rules;
    return command.run(() => tell("PUT", `${API}/projects/${number}/rules`, { text }).catch(withText(text)), "These rules are set.");
  };
  return html`
    <section aria-labelledby="rules">
      <h3 id="rules">Rules <span class="quiet">on how reports are grouped from now on</span></h3>
      <${Language} />
      <form onSubmit=${set} onKeyDown=${keepEscape}>
        <label class="unseen" for="rules-text">Rules, one a line</label>
        <textarea id="rules-text" class="code" ref=${area} rows="10" spellcheck=${false} autocapitalize="off" value=${rules.text}
          placeholder="There are no rules: reports are grouped by what they have in common." aria-invalid=${error ? "true" : undefined}
          aria-describedby=${error ? "rules-problem" : undefined} onInput=${(event) => rules.write(event.target.value)} />
        ${error && html`<${RulesProblem} id="rules-problem" error=${error} text=${error.text ?? ""} />`}
        ${rules.isOvertaken && html`<p class="moved" role="status">Other rules were set meanwhile. Yours would replace them.${" "}
          <button type="button" class="button small" onClick=${rules.drop}>Show the others</button></p>`}
        <p class="buttons"><button class="button" disabled=${command.busy || !rules.isDraft}>Set these rules</button>
          ${rules.isDraft && html`<button type="button" class="button" onClick=${rules.drop}>Drop the changes</button>`}</p>
        <p class="outcome quiet" role="status">${command.said}</p>
      </form>
    </section>`;
}

// The line is where somebody goes on writing.
function choose(area, line) {
  const lines = area.value.split("\n");
  const from = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
}

function Language() {
  return html`
    <details class="setup">
      <summary>How rules are written</summary>
      <pre>${EXAMPLE}</pre>
      <p>A line is matchers, all of which must match, <code>-></code>, and an action. A pattern is a glob without case: <code>*</code> any
        text, <code>?</code> one character; with blanks it stands in quotes. <code>!</code> before a matcher turns it round.</p>
      <p>Of a report: <code>type value message logger level kind release environment topic platform url tag.NAME</code>. Of a
        frame: <code>path module function in_app</code>. Actions: <code>in_app:true</code>, <code>in_app:false</code>,
        ${" "}<code>fingerprint:</code> and <code>title:</code> with words, <code>${"{{ type }}"}</code>,
        ${" "}<code>${"{{ default }}"}</code> and the like.</p>
    </details>`;
}

function Try({ number, rules }) {
  const command = useCommand();
  const [days, setDays] = useState("7");
  const [found, setFound] = useState();
  const attempt = (event) => {
    event.preventDefault();
    const { text } = rules;
    const ask = () => tell("POST", `${API}/projects/${number}/rules/try`, { text, days: numberIn(days) }).catch(withText(text));
    setFound(undefined);
    return command.run(async () => setFound({ text, tried: await ask() }));
  };
  return html`
    <section class="try" aria-labelledby="try">
      <h3 id="try">Try <span class="quiet">what these rules would do; nothing changes</span></h3>
      <form class="line" onSubmit=${attempt} onKeyDown=${keepEscape}>
        <label>To the reports of the last <input class="number" name="days" inputmode="numeric" autocomplete="off" value=${days}
          onInput=${(event) => setDays(event.target.value)} /> days</label>
        <button class="button" disabled=${command.busy}>Try</button>
        ${command.busy && html`<span class="quiet" role="status">Looking at the reports…</span>`}
      </form>
      ${command.error && html`<${RulesProblem} id="try-problem" error=${command.error} text=${command.error.text ?? ""} />`}
      <div role="status">${found && html`<${Tried} tried=${found.tried} isOld=${found.text !== rules.text} />`}</div>
    </section>`;
}

function Tried({ tried, isOld }) {
  const { examined, unreadable, moved, complete, changes, changes_complete } = tried;
  return html`
    <p>${moved === 0 ? "None" : html`<b>${count(moved)}</b>`} of ${count(examined)} reports would be in another group.
      ${unreadable > 0 && ` The bodies of ${count(unreadable)} more are pruned: they would stay.`}
      ${isOld && html` <span class="quiet">The rules were changed since.</span>`}</p>
    ${complete === false && html`<p class="incomplete">These are not all: there are more reports of these days, and only the newest
      ${" "}${count(examined + unreadable)} were looked at.</p>`}
    ${changes.length > 0 && html`
      <table class="told-table changes">
        <thead><tr><th scope="col">from</th><th scope="col">to</th><th scope="col" class="number">reports</th></tr></thead>
        <tbody>${changes.map((change, n) => html`<tr key=${n}><td><${InGroup} id=${change.from} title=${change.from_title} /></td>
          <td>${change.to ? html`<${InGroup} id=${change.to} title=${change.to_title} />`
            : html`<span class="badge moving">a new group</span> <${Told} text=${change.to_title} />`}</td>
          <td class="number">${count(change.reports)}</td></tr>`)}</tbody>
      </table>`}
    ${changes_complete === false && html`<p class="incomplete">There are more changes than these.</p>`}`;
}
const InGroup = ({ id, title }) => html`<a data-row href=${groupLink(id)}>${id}</a> <${Told} text=${title} />`;

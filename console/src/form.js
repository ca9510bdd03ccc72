// Forms: fields, each with what the server says against its value, the commands that they send, and questions before something is done.
import { useEffect, useRef, useState } from "preact/hooks";
import { html, Problem } from "./ui.js";

// A control with its label. `at` matches the pointers of a problem document that are about it; `lines`: it holds several.
export function Field({ name, label, hint, problems = [], at = new RegExp(`^/${name}(/|$)`), lines = false, ...rest }) {
  const mine = problems.filter((one) => at.test(one.pointer));
  const id = `field-${name}`;
  const told = [hint && `${id}-hint`, mine.length > 0 && `${id}-problem`].filter(Boolean).join(" ");
  const Control = lines ? "textarea" : "input";
  return html`
    <div class="field" data-field=${name}>
      <label for=${id}>${label}</label>
      <${Control} id=${id} name=${name} autocomplete="off" spellcheck=${false} aria-invalid=${mine.length > 0 ? "true" : undefined}
        aria-describedby=${told || undefined} ...${rest} />
      ${hint && html`<span class="quiet" id=${`${id}-hint`}>${hint}</span>`}
      ${mine.length > 0 && html`<ul class="problem" id=${`${id}-problem`}>${mine.map((one) => html`<li>${one.detail}</li>`)}</ul>`}
    </div>`;
}

export function Tick({ name, label, ...rest }) {
  return html`<label class="tick-line"><input type="checkbox" name=${name} ...${rest} /> ${label}</label>`;
}

// What was typed as a number; what is none goes to the server as it is, which says what is expected there.
export const numberIn = (text) => (/^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text.trim());
export const linesIn = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

// Commands of one form: { run(act, saying), busy, error, said }.
export function useCommand() {
  const [state, setState] = useState({});
  const run = async (act, saying) => {
    setState({ busy: true });
    try {
      const reply = await act();
      setState({ said: typeof saying === "function" ? saying(reply) : saying });
      return true;
    } catch (error) {
      setState({ error });
      return false;
    }
  };
  return { ...state, run, clear: () => setState({}) };
}

// Escape in a form is for the form: it doesn't leave the page.
export function keepEscape(event) {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  event.target.blur();
}

// What is done with one thing: each of `questions` ([words, Component]) is asked by its button, one at a time, and closed when it is
// answered, or by Escape. A Component gets `decide(act, saying)`, `busy`, the fields that a refusal is about, and whatever else is `given`.
// `children`: buttons that ask nothing, drawn by (command) => html.
export function Questions({ label, questions, children: direct, ...given }) {
  const command = useCommand();
  const [asked, setAsked] = useState();
  const place = useRef();
  useEffect(() => place.current.querySelector(".question :is(input, textarea, select, button)")?.focus(), [asked]);
  useEffect(() => void place.current.querySelector("[aria-invalid]")?.focus(), [command.error]);
  const close = () => {
    place.current?.querySelector("[aria-expanded=true]")?.focus();
    setAsked(undefined);
  };
  const decide = async (act, saying) => (await command.run(act, saying)) && close();
  const onKey = (event) => {
    if (event.key !== "Escape" || !asked) return;
    event.stopPropagation();
    close();
  };
  const Question = questions.find(([name]) => name === asked)?.[1];
  const ask = (name) => (command.clear(), setAsked(asked === name ? undefined : name));
  return html`
    <section class="decisions" aria-label=${label} ref=${place} onKeyDown=${onKey}>
      <p class="buttons">${questions.map(([name]) => html`<button key=${name} type="button" class="button"
          aria-expanded=${asked === name} onClick=${() => ask(name)}>${name}</button>`)}
        ${direct?.(command)}</p>
      ${Question && html`<div class="question"><${Question} key=${asked} decide=${decide} busy=${command.busy}
        problems=${command.error?.errors} ...${given} /></div>`}
      ${command.error && html`<${Problem} error=${command.error} />`}
      <p class="outcome quiet" role="status">${command.said}</p>
    </section>`;
}

// A submitted form, and the button that did it, for `send`.
export const answering = (send) => (event) => {
  event.preventDefault();
  return send(new FormData(event.currentTarget), event.submitter);
};

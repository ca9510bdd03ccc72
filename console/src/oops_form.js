// Fields of the forms of oops, each with what the server says against its value.
import { html } from "./ui.js";

// A control with its label. `at` matches the pointers of a problem document that are about it; `lines`: it holds several.
export function Field({ name, label, hint, problems = [], at, lines = false, ...rest }) {
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

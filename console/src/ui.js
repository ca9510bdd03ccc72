// What every page draws with: markup, ages, badges, lists that page.
import { h } from "preact";
import { useEffect, useState } from "preact/hooks";
import htm from "htm";

export const html = htm.bind(h);

const UNITS = [["y", 31557600], ["mo", 2629800], ["d", 86400], ["h", 3600], ["min", 60]];

// 95 → "1 min"; one unit, so that a column of them reads at a glance.
export function span(seconds) {
  for (const [unit, size] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${Math.max(0, Math.floor(seconds))} s`;
}

// The time, renewed every `period_ms` while the tab is seen.
export function useNow(period_ms = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNow(Date.now()), period_ms);
    return () => clearInterval(timer);
  }, [period_ms]);
  return now;
}

export function Age({ at, ago = false }) {
  const now = useNow();
  if (!at) return html`<span class="quiet">–</span>`;
  const date = new Date(at);
  return html`<time datetime=${at} title=${date.toLocaleString()}>${span((now - date) / 1000)}${ago ? " ago" : ""}</time>`;
}

const GOOD = new Set(["installed", "accepted", "pass", "passed", "migrated"]);
const BAD = new Set(["failed", "fail", "rejected", "error", "regression", "tmpfail"]);

export function Badge({ result }) {
  const tone = GOOD.has(result) ? "good" : BAD.has(result) ? "bad" : "plain";
  return html`<span class=${`badge ${tone}`}>${result}</span>`;
}

export function Count({ value }) {
  return html`${value === undefined ? "–" : value.toLocaleString("en")}`;
}

// The ids that moved in the last seconds: a row that changes is pointed at, then left alone.
export function useFresh(list, shown_ms = 4000) {
  const [fresh, setFresh] = useState(new Set());
  useEffect(() => {
    if (!list.changed?.size) return;
    setFresh((was) => new Set([...was, ...list.changed]));
    const timer = setTimeout(() => setFresh((was) => new Set([...was].filter((id) => !list.changed.has(id)))), shown_ms);
    return () => clearTimeout(timer);
  }, [list.changed]);
  return fresh;
}

// Under a list: what is left, and the way to it.
export function More({ list, noun }) {
  if (list.next)
    return html`${list.why && html`<p class="quiet">${list.why}</p>`}
      <button type="button" class="more" onClick=${list.more}>more ${noun}</button>`;
  if (list.complete === false) return html`<p class="quiet">The server cut this list: there are more ${noun} than it gives.</p>`;
  return null;
}

export function Problem({ error }) {
  const places = (error.errors ?? []).map((place) => place.detail).filter((detail) => detail && !error.message.includes(detail));
  return html`<p class="problem" role="alert">${error.message}${places.map((detail) => html`; ${detail}`)}
    ${error.code ? html` <code>${error.code}</code>` : ""}
    ${error.code === "scope_missing" && " Who runs the server can give you this scope."}</p>`;
}

// Words that somebody wrote: as text, within their own direction of writing.
export const Told = ({ text }) => html`<bdi>${text}</bdi>`;
export const Moment = ({ at }) => html`<time datetime=${at}>${new Date(at).toLocaleString()}</time>`;
export const count = (n) => n.toLocaleString("en");
export const words = (name) => name.replaceAll("_", " ");

// A page that isn't there yet, or won't be.
export function Absent({ error, up, upName }) {
  return html`<p><a href=${up}>← ${upName}</a></p>${error ? html`<${Problem} error=${error} />` : html`<p class="empty">Loading…</p>`}`;
}
// A list of figures or facts: what isn't known isn't listed.
export function Facts({ facts, label }) {
  const known = facts.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  return html`<dl class="facts-of" aria-label=${label}>${known.map(([name, value]) => html`
    <div key=${name}><dt>${name}</dt><dd>${typeof value === "string" ? html`<${Told} text=${value} />` : value}</dd></div>`)}</dl>`;
}

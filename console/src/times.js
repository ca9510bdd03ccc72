// Durations as people write them, and times that are to come.
import { html, span, useNow } from "./ui.js";

const UNITS = [["d", 86400000], ["h", 3600000], ["min", 60000], ["s", 1000]];
// 90000 → "90 s": exactly, so that it can be read back; 0 is "0".
export function durationText(ms) {
  const [unit, size] = UNITS.find(([, size]) => ms !== 0 && ms % size === 0) ?? ["ms", 1];
  return ms === 0 ? "0" : `${ms / size} ${unit}`;
}
// "90 s", "1.5 h", "250" (milliseconds) → milliseconds; what is no duration goes to the server as it is, which says what is expected.
export function durationIn(text) {
  const [, digits, unit] = text.trim().match(/^(\d{1,15}(?:\.\d{1,6})?)\s*(ms|s|min|h|d)?$/) ?? [];
  return digits === undefined ? text.trim() : Math.round(Number(digits) * (UNITS.find(([name]) => name === unit)?.[1] ?? 1));
}
// A measured time: 1234 → "1.23 s".
export function measured(ms) {
  if (ms < 1000) return `${ms.toLocaleString("en", { maximumSignificantDigits: 3 })} ms`;
  return ms < 60000 ? `${(ms / 1000).toLocaleString("en", { maximumSignificantDigits: 3 })} s` : span(ms / 1000);
}
// What is to come, or how long ago it was.
export function Till({ at }) {
  const left_s = (new Date(at) - useNow()) / 1000;
  const words = left_s >= 0 ? `in ${span(left_s)}` : `${span(-left_s)} ago`;
  return html`<time datetime=${at} title=${new Date(at).toLocaleString()}>${words}</time>`;
}

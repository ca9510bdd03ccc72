// The settings of a queue: how it treats its tasks.
import { tell } from "./api.js";
import { ofQueue, OPERATE } from "./queue_parts.js";
import { SettingsForm } from "./settings_form.js";
import { Facts, html, Moment } from "./ui.js";

const DURATIONS = "as 500 ms, 30 s, 5 min, 1 h, 7 d";
const GROUPS = [
  ["Attempts", [
    ["lease_ms", "A lease lasts", DURATIONS, "duration"],
    ["attempts_max", "Attempts", "Then a task is dead. 0: no limit", "number"],
    ["backoff_ms", "Wait before the second attempt", "Twice that before the third, and so on", "duration"],
    ["backoff_max_ms", "Longest wait", "", "duration"],
    ["dead_letters_to", "Dead ones go to the queue", "Empty: they stay in this one", "text"],
  ]],
  ["What runs next", [
    ["fair", "Keys take turns; else the most urgent task of all keys comes first", "", "tick"],
    ["ageing_ms", "A task is one priority more urgent after", "So nothing starves. For tasks that are put from then on", "duration"],
    ["weights", "Shares of keys", "One a line: the key = its weight; a key that isn't here has 1", "weights"],
  ]],
  ["Limits; 0: none", [
    ["concurrency_max", "Running at once", "", "number"],
    ["concurrency_per_key_max", "Of one key", "", "number"],
    ["concurrency_per_worker_max", "With one worker", "", "number"],
    ["rate_max", "Started", "", "number"],
    ["rate_per_key_max", "Started of one key", "", "number"],
    ["rate_window_ms", "… within each", "", "duration"],
    ["depth_max", "Held", "A put beyond it is refused", "number"],
    ["payload_bytes_max", "Bytes of a payload", "", "number"],
  ]],
  ["What is kept", [
    ["keep_done_ms", "Results, for", "Of tasks that were completed with one", "duration"],
    ["keep_dead_ms", "Dead ones, for", "0: until somebody redrives or deletes them", "duration"],
  ]],
];

// They are replaced whole: what this page doesn't know of them stays as it is.
export function Settings({ queue }) {
  const send = async (settings) => (await tell("PUT", ofQueue(queue.queue), { settings })).settings;
  return html`
    <section aria-labelledby="settings">
      <h3 id="settings">Settings</h3>
      <${Facts} label="About it" facts=${[["made", html`<${Moment} at=${queue.made_at} />`]]} />
      <${SettingsForm} groups=${GROUPS} now=${queue.settings} send=${send} scope=${OPERATE} pointer="/settings/" />
    </section>`;
}

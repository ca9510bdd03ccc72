// What the home page makes of GET /_gantry/v1/status: rates from counters, the last minutes of each, and what is wrong.
// Nothing here touches the page.

export const SHOWN_MS = 5 * 60 * 1000;
const SHOWN_LEAST_MS = 60 * 1000;
const SAMPLES_MAX = 600;
const LAG_TOLD_MS = 5000;
const MIB = 1024 * 1024;
const DISK_BAD_BYTES = 512 * MIB; // as `gantry doctor` has it
const DISK_LOW_BYTES = 2048 * MIB;

export const keyOf = (site, service) => `${site}/${service}`;

// The last minutes of the process (key "") and of each service: [{ at, … }], oldest first, `at` in ms of the server's clock.
// A rate is undefined where there is nothing to compare with: at first, and after a restart.
export class History {
  #rows = new Map();
  #last;

  take(status) {
    const at = Date.parse(status.now);
    const last = this.#last;
    this.#last = { at, status };
    if (last && at <= last.at) {
      if (at < last.at) this.#rows.clear(); // its clock was set back
      return;
    }
    const same = last?.status.started_at === status.started_at ? last : undefined;
    const seconds = same && (at - same.at) / 1000;
    const rate = (now, before) => (seconds && before !== undefined && now >= before ? (now - before) / seconds : undefined);
    this.#add("", { at, cpu_percent: percent(rate(status.cpu_seconds, same?.status.cpu_seconds)),
      resident_bytes: status.resident_bytes, connections: status.connections, live_readers: status.live_readers });
    const before = new Map(services(same?.status).map((s) => [keyOf(s.site, s.name), s]));
    for (const service of services(status)) {
      const key = keyOf(service.site, service.name);
      this.#add(key, sampleOf(service, before.get(key), at, rate));
    }
  }

  of(key) {
    return this.#rows.get(key) ?? [];
  }

  #add(key, sample) {
    const kept = this.of(key).filter((s) => s.at > sample.at - SHOWN_MS).slice(1 - SAMPLES_MAX);
    this.#rows.set(key, [...kept, sample]);
  }
}

const percent = (share) => (share === undefined ? undefined : share * 100);

function sampleOf(service, before, at, rate) {
  return {
    at,
    requests_s: rate(service.requests, before?.requests),
    errors_s: rate(service.errors, before?.errors),
    // While it reads its log these are no new events.
    events_s: service.state === "starting" ? undefined : rate(service.events, before?.events),
    p99_ms: service.p99_ms,
    durable_lag_events: service.durable_lag_events,
    follower_lag_events: Math.max(0, ...followers(service).map((f) => f.lag_events)),
    effects_pending: service.effects_pending,
    memory_bytes: service.memory_bytes,
    log_bytes: service.log_bytes,
  };
}

const followers = (service) => service.followers ?? [];

// Every service of a status, each with the name of its site.
export const services = (status) => (status?.sites ?? []).flatMap((site) => (site.services ?? []).map((s) => ({ ...s, site: site.name })));

// The site that the page itself is of: the one named by the first label of its host, or the first.
export function ownSite(status, host) {
  const label = host.includes(".") && !/^[\d.]+$/.test(host) ? host.split(".")[0].toLowerCase() : "";
  return (status.sites.find((site) => site.name === label) ?? status.sites[0])?.name;
}

// What is wrong, the worst first: [{ key, tone: "bad" or "warn", text, remedy }]. Commands stand between backticks. No number in them moves
// while nothing happens: they are read aloud when they change.
export function alarms(status, history) {
  const ofServices = services(status).flatMap((service) => ofService(service, history.of(keyOf(service.site, service.name))));
  const found = [...ofServices, ...ofDisk(status)];
  return found.sort((a, b) => (a.tone === b.tone ? 0 : a.tone === "bad" ? -1 : 1));
}

function ofService(service, samples) {
  const { site, name } = service;
  const reports = `Look at the newest files in DATA/${site}/reports.d.`;
  const found = [];
  const tell = (what, tone, text, remedy) => found.push({ key: `${keyOf(site, name)} ${what}`, tone, text: `${name} ${text}`, remedy });
  if (service.state === "stopped")
    tell("stopped", "bad", "stopped itself: applying an event failed three times in a row. Its log is untouched.",
      `${reports} Then start a release that has it fixed.`);
  if (samples.some((s) => s.errors_s > 0)) tell("errors", "bad", "answered with errors in the last minutes.", reports);
  else if (service.failures > 0)
    tell("failures", "warn", `reported ${count(service.failures, "failure")} of ours since its start.`, reports);
  if (service.effects_dead > 0)
    tell("effects", "bad", `gave up ${count(service.effects_dead, "effect")}.`,
      `\`gantry effects ls ${name} --dead\` says why; then \`gantry effects retry ${name}\` or \`drop\`.`);
  if (lagsBehind(samples))
    tell("lag", "warn", "records faster than the disk makes durable, and answers late.", "`gantry doctor` measures the disk.");
  for (const follower of followers(service)) ofFollower(name, follower, tell);
  return found;
}

// For some seconds, not for one group commit.
function lagsBehind(samples) {
  const last = samples.at(-1);
  const recent = samples.filter((s) => s.at >= last.at - LAG_TOLD_MS);
  return recent.length > 1 && last.at - samples[0].at >= LAG_TOLD_MS && recent.every((s) => s.durable_lag_events > 0);
}

function ofFollower(name, follower, tell) {
  const { source, state, dead_letters } = follower;
  if (dead_letters > 0)
    tell(`letters ${source}`, "bad", `could not take ${count(dead_letters, "event")} of ${source}.`,
      `\`gantry followers letters ${name} ${source}\` says why; then \`gantry followers retry ${name} ${source}\` or \`drop\`.`);
  const why = follower.why ? ` (${follower.why})` : "";
  if (state === "refused" || state === "stopped" || (state === "full" && dead_letters === 0))
    tell(`follower ${source}`, "bad", `doesn't follow ${source} any more${why}.`, `\`gantry followers ls ${name}\` says what is wrong.`);
  if (state === "backing_off")
    tell(`follower ${source}`, "warn", `can't read ${source} and tries again${why}.`, `\`gantry followers ls ${name}\` says since when.`);
}

function ofDisk({ disk_free_bytes }) {
  if (disk_free_bytes === undefined || disk_free_bytes >= DISK_LOW_BYTES) return [];
  const bad = disk_free_bytes < DISK_BAD_BYTES;
  return [{ key: "disk", tone: bad ? "bad" : "warn", text: bad ? "The disk is almost full." : "The disk is getting full.",
    remedy: "Make room, or move the data to a larger disk: without room commands are refused with 507, and reads go on." }];
}

const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

// The path of a sparkline in a box of width × height: time to the right, the newest sample at its right edge, at least a minute wide.
// `from` is the value at the bottom: "zero", or "least" for what is large and moves little. A gap (tab hidden, server away, no value) stays
// one.
export function sparkPath(samples, pick, { width, height, from = "zero", gap_ms = 5000 }) {
  const shown = samples.map((s) => ({ at: s.at, value: pick(s) })).filter((p) => Number.isFinite(p.value));
  if (shown.length === 0) return "";
  const values = shown.map((p) => p.value);
  const most = Math.max(...values);
  const low = from === "least" ? Math.min(...values) : 0;
  // What moves by less than a tenth looks as flat as it is.
  const spread = Math.max(most - low, from === "least" ? most * 0.1 : 0, Number.MIN_VALUE);
  const end = samples.at(-1).at;
  const wide_ms = Math.max(SHOWN_LEAST_MS, end - samples[0].at);
  const x = (at) => round(width * (1 - (end - at) / wide_ms));
  const y = (value) => round(height - ((value - low) / spread) * height);
  return shown.map((p, i) => `${i > 0 && p.at - shown[i - 1].at <= gap_ms ? "L" : "M"}${x(p.at)} ${y(p.value)}`).join("");
}
const round = (n) => Math.round(n * 10) / 10;

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];
export function bytes(n) {
  let unit = 0;
  for (; n >= 1024 && unit < SIZES.length - 1; ++unit) n /= 1024;
  return `${n.toLocaleString("en", { maximumFractionDigits: n < 10 && unit > 0 ? 1 : 0 })} ${SIZES[unit]}`;
}

// 0.25, 3.2, 120, 12.5k: three digits at most.
export function short(n) {
  if (n >= 1e6) return `${short(n / 1e6)}M`;
  if (n >= 10000) return `${short(n / 1000)}k`;
  return n.toLocaleString("en", { maximumFractionDigits: n < 1 ? 2 : n < 10 ? 1 : 0 });
}

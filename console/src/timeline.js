// A request's actions as bars over time: what is drawn is worked out here, without a page.

export const LANES_MAX = 12; // more categories share the last lane
export const DEPTH_MAX = 6; // bars of one lane that run at the same time, above one another
const TICKS_MAX = 5;
const HUES = 6;

// 1234 → "1.23 s"
export function took(ms) {
  if (ms >= 1000) return `${(ms / 1000).toLocaleString("en", { maximumFractionDigits: 2 })} s`;
  return `${ms.toLocaleString("en", { maximumFractionDigits: 1 })} ms`;
}

// Rows end no sooner than they start, whatever their teller's clock did.
function bars(rows) {
  return rows.map((row, index) => {
    const start = row.start_ms ?? 0;
    return { index, start, end: Math.max(start, row.end_ms ?? start), category: row.category || "other", detail: row.detail ?? "",
      traceback: row.traceback };
  });
}

// { bars, from, to, lanes }; a lane is { category, hue, bars, depth, total_ms }, and its bars have `level`, counted from 0.
export function timelineOf(rows, duration_ms = 0) {
  const all = bars(rows).sort((a, b) => a.start - b.start || a.index - b.index);
  const from = all.reduce((least, bar) => Math.min(least, bar.start), 0);
  const to = all.reduce((most, bar) => Math.max(most, bar.end), Math.max(duration_ms, from + 1));
  const byCategory = Map.groupBy(all, (bar) => bar.category);
  const ranked = [...byCategory].map(([category, own]) => ({ category, bars: own, total_ms: sum(own) }));
  ranked.sort((a, b) => b.total_ms - a.total_ms || b.bars.length - a.bars.length);
  const shown = ranked.slice(0, ranked.length > LANES_MAX ? LANES_MAX - 1 : LANES_MAX);
  const rest = ranked.slice(shown.length);
  if (rest.length) {
    const own = rest.flatMap((lane) => lane.bars).sort((a, b) => a.start - b.start || a.index - b.index);
    shown.push({ category: `${rest.length} more categories`, bars: own, total_ms: sum(own) });
  }
  return { bars: all, from, to, lanes: shown.map((lane, n) => ({ ...lane, hue: n % HUES, ...stacked(lane.bars) })) };
}
const sum = (own) => own.reduce((all, bar) => all + bar.end - bar.start, 0);

// Bars that overlap lie above one another; what is deeper than DEPTH_MAX shares the last place.
function stacked(own) {
  const ends = [];
  for (const bar of own) {
    const free = ends.findIndex((end) => end <= bar.start);
    bar.level = free >= 0 ? free : Math.min(ends.length, DEPTH_MAX - 1);
    ends[bar.level] = Math.max(ends[bar.level] ?? bar.end, bar.end);
  }
  return { depth: Math.max(ends.length, 1) };
}

// Round moments between two, in steps of 1, 2 or 5.
export function ticks(from, to) {
  const rough = (to - from) / TICKS_MAX;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, n) => (first + n) * step);
}

// The same action several times, the costliest first: what one query with a join would have done.
export function repeated(all, most = 3) {
  const same = Map.groupBy(all.filter((bar) => bar.detail), (bar) => `${bar.category}\n${bar.detail}`);
  const found = [...same.values()].filter((own) => own.length > 1).map((own) => ({ ...own[0], count: own.length, total_ms: sum(own) }));
  return found.sort((a, b) => b.total_ms - a.total_ms || b.count - a.count).slice(0, most);
}

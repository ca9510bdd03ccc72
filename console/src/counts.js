// Reports by hour or day, as bars. Nothing here touches the page.
const HOUR_MS = 3600000;

// `unit` is a bar's, `bars` how many are shown.
export const STEPS = {
  hour: { unit_ms: HOUR_MS, bars: 24, told: "the last 24 hours" },
  day: { unit_ms: 24 * HOUR_MS, bars: 30, told: "the last 30 days" },
};

// [{ at, count }] of `counts` ([{ at, count }], those that aren't 0), one a bar, the oldest first, `at` in ms. The last is of now by the
// reader's clock, or of the newest report where that clock is behind.
export function barsOf(counts, step, now) {
  const { unit_ms, bars } = STEPS[step];
  const known = new Map(counts.map(({ at, count }) => [Date.parse(at), count]));
  const last = Math.max(Math.floor(now / unit_ms) * unit_ms, ...known.keys());
  return Array.from({ length: bars }, (_, n) => last - (bars - 1 - n) * unit_ms).map((at) => ({ at, count: known.get(at) ?? 0 }));
}

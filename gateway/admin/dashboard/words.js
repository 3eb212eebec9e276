// Says amounts and times as people do.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

// count is a number of things: "1 object", "2,000 objects".
export function count(n, thing) {
  return whole.format(n) + (thing ? " " + thing + (n === 1 ? "" : "s") : "");
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1024;
  return (i === 0 ? whole.format(n) : short.format(n)) + " " + units[i];
}

export function perSecond(n) {
  return (n > 0 && n < 10 ? n.toFixed(1) : whole.format(n)) + " req/s";
}

// time of an answer, from seconds.
export function took(seconds) {
  if (!(seconds > 0)) return "–";
  return seconds < 1 ? short.format(seconds * 1000) + " ms" : short.format(seconds) + " s";
}

// about is a time that is left, from nanoseconds, as exactly as it is worth saying.
export function about(nanoseconds) {
  const minutes = nanoseconds / 60e9;
  if (minutes < 1) return "less than a minute";
  if (minutes < 90) return "about " + Math.round(minutes) + " min";
  if (minutes < 48 * 60) return "about " + Math.round(minutes / 60) + " h";
  return "about " + Math.round(minutes / 1440) + " days";
}

// held is a short time, from nanoseconds.
export function held(nanoseconds) {
  return took(nanoseconds / 1e9);
}

export function clock(time) {
  const at = new Date(time);
  const sameDay = at.toDateString() === new Date().toDateString();
  const time24 = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return sameDay ? time24 : day(at) + ", " + time24;
}

export function day(time) {
  return new Date(time).toLocaleDateString([], { dateStyle: "medium" });
}

// done is how much of a run is done, of 1, by bytes where there are any; null before
// everything is counted.
export function done(progress) {
  if (!progress?.counted) return null;
  const by = progress.total.bytes > 0 ? "bytes" : "objects";
  return progress.total[by] > 0 ? Math.min(progress.done[by] / progress.total[by], 1) : null;
}

// percent is cut, not rounded: 100 % is the end. The sign stays with its number.
export function percent(part) {
  return Math.floor(part * 100) + "\u00a0%";
}

// condition is one of a bucket's, by type; undefined if there is none.
export function condition(status, type) {
  return status.conditions.find((c) => c.type === type);
}

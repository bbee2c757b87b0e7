// Tells instants in the reader's own time; the server writes them in UTC.

const instants = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [7, "day"], [4.35, "week"], [12, "month"], [Infinity, "year"]];

export function showTimes(root) {
  for (const time of root.querySelectorAll("time[data-local], time[data-ago]")) {
    const moment = new Date(time.dateTime);
    const words = "ago" in time.dataset ? ago(moment) : instants.format(moment);
    if (time.textContent !== words) time.textContent = words;
    time.title = full.format(moment);
  }
}

function ago(moment) {
  let amount = (moment - Date.now()) / 1000;
  if (Math.abs(amount) < 45) return "just now";
  for (const [size, unit] of STEPS) {
    if (Math.abs(amount) < size) return relative.format(Math.round(amount), unit);
    amount /= size;
  }
  return "";
}

setInterval(() => showTimes(document), 30_000);

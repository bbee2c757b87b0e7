// Changes a part of the page into what the server says it is now, in place: what is the same stays the same element, so
// focus, scroll, open boxes and half-written answers survive. Gives the live elements that are new or changed.

// What the reader does to the page, and the server knows nothing of.
const READERS_OWN = new Set(["open", "hidden", "aria-expanded", "aria-busy", "disabled", "style"]);
// What scripts wrote for the reader alone: times in their clock, an invite code, what was wrong with a form.
const WRITTEN_HERE = "[data-local], [data-ago], [data-own], .form-error";
const PASSING = ["is-new", "is-changed"];

export function morph(current, next) {
  const changed = new Map();
  morphChildren(current, next, changed);
  for (const [element] of changed)
    if ([...changed.keys()].some((other) => other !== element && element.contains(other) && changed.get(element) !== "is-new"))
      changed.delete(element);
  return changed;
}

function morphElement(current, next, changed) {
  morphAttributes(current, next);
  if (current.matches(WRITTEN_HERE)) return;
  if (current.matches("textarea")) return morphTextarea(current, next);
  morphChildren(current, next, changed);
}

function morphChildren(current, next, changed) {
  const keyed = new Map([...current.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let place = current.firstChild;
  for (const wanted of [...next.childNodes]) {
    const key = keyOf(wanted);
    let match = key ? keyed.get(key) : likeIt(place, wanted);
    if (match && key && match.nodeName !== wanted.nodeName) match = null;
    if (!match) {
      const added = document.importNode(wanted, true);
      current.insertBefore(added, place);
      note(added, current, changed);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else current.insertBefore(match, place);
    if (match.nodeType === Node.ELEMENT_NODE) morphElement(match, wanted, changed);
    else if (match.data !== wanted.data) {
      if (match.data.trim() !== wanted.data.trim()) mark(current, "is-changed", changed);
      match.data = wanted.data;
    }
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    if (gone.nodeType === Node.ELEMENT_NODE) mark(current, "is-changed", changed);
    gone.remove();
  }
}

// Without a key a node matches the one at its place, if that is of its kind and has no key of its own.
function likeIt(place, wanted) {
  if (!place || place.nodeType !== wanted.nodeType || place.nodeName !== wanted.nodeName || keyOf(place)) return null;
  return place;
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset?.key || null : null;
}

function note(added, parent, changed) {
  if (added.nodeType !== Node.ELEMENT_NODE) return;
  if (added.matches("[data-live]")) changed.set(added, "is-new");
  else mark(parent, "is-changed", changed);
}

function mark(element, how, changed) {
  const live = element.closest("[data-live]");
  if (live && !changed.has(live)) changed.set(live, how);
}

function morphAttributes(current, next) {
  const passing = PASSING.filter((name) => current.classList.contains(name));
  for (const { name, value } of [...next.attributes])
    if (!READERS_OWN.has(name) && current.getAttribute(name) !== value) current.setAttribute(name, value);
  for (const { name } of [...current.attributes])
    if (!READERS_OWN.has(name) && !next.hasAttribute(name)) current.removeAttribute(name);
  current.classList.add(...passing);
}

function morphTextarea(current, next) {
  const untouched = current.value === current.defaultValue;
  if (current.defaultValue === next.defaultValue) return;
  current.defaultValue = next.defaultValue;
  if (untouched) current.value = next.defaultValue;
}

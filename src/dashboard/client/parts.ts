// The parts of a page: elements with an id and `data-part`, which a refresh replaces one by one.

/** The fingerprint of each part shown. Computing it is most of the work of refreshing a thousand tiles. */
const fingerprints = new WeakMap<HTMLElement, string>();

/** Replaces the parts that differ in `page`, except for parts in which the user types or selects text. */
export function swapParts(page: Document): void {
  for (const next of page.querySelectorAll<HTMLElement>("[data-part]")) {
    const shown = document.getElementById(next.id);
    if (shown === null || isBusy(shown)) continue;
    const print = fingerprint(next);
    if ((fingerprints.get(shown) ?? fingerprint(shown)) === print) fingerprints.set(shown, print);
    else fingerprints.set(replacePart(shown, next), print);
  }
}

/** Keeps scroll positions, open sections and the focus. @returns the new part, now in this document */
function replacePart(shown: HTMLElement, next: HTMLElement): HTMLElement {
  const focused = shown.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  const scrolled = [...shown.querySelectorAll(".scroll")].map(({ scrollLeft, scrollTop }) => ({
    scrollLeft,
    scrollTop,
  }));
  const part = document.adoptNode(next);
  for (const { id } of shown.querySelectorAll("details[open][id]")) {
    part.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  }
  shown.replaceWith(part);
  part.querySelectorAll(".scroll").forEach((element, index) => {
    Object.assign(element, scrolled[index]);
  });
  if (focused !== null) elementOf(part, focused)?.focus({ preventScroll: true });
  part.dispatchEvent(new CustomEvent("part", { bubbles: true }));
  return part;
}

/** The part's HTML without running clocks, drawn charts and opened sections, which are not changes. */
function fingerprint(part: HTMLElement): string {
  const copy = part.cloneNode(true) as HTMLElement;
  for (const time of copy.querySelectorAll("[data-ago], [data-since]")) time.textContent = "";
  for (const drawn of copy.querySelectorAll("[data-drawn]")) drawn.remove();
  for (const opened of copy.querySelectorAll("details[open]")) opened.removeAttribute("open");
  return copy.outerHTML;
}

function isBusy(part: HTMLElement): boolean {
  const { activeElement } = document;
  const isTyping = activeElement?.matches("input, select, textarea") === true && part.contains(activeElement);
  const selection = document.getSelection();
  return isTyping || (selection?.isCollapsed === false && part.contains(selection.anchorNode));
}

/** Identifies an element within its part across refreshes. */
function keyOf(element: Element | null): string | null {
  return element?.getAttribute("href") ?? element?.id ?? null;
}

function elementOf(part: HTMLElement, key: string): HTMLElement | null {
  const focusable = part.querySelectorAll<HTMLElement>("a, button, [tabindex], input");
  return [...focusable].find((element) => keyOf(element) === key) ?? null;
}

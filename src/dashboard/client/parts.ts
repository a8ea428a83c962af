// Parts of a page: elements with an id and `data-part`, which a newer reading of the page may replace.

/** What the parts shown were when they came: taking it of a thousand tiles is most of a refresh. */
const fingerprints = new WeakMap<HTMLElement, string>();

/** Puts the parts of `page` that differ in place of those shown. Where somebody is, and what is open, stays. */
export function swapParts(page: Document): void {
  for (const next of page.querySelectorAll<HTMLElement>("[data-part]")) {
    const shown = document.getElementById(next.id);
    if (shown === null || isBusy(shown)) continue;
    const print = fingerprint(next);
    if ((fingerprints.get(shown) ?? fingerprint(shown)) === print) {
      fingerprints.set(shown, print);
      continue;
    }
    const focused = shown.contains(document.activeElement) ? keyOf(document.activeElement) : null;
    const scrolled = [...shown.querySelectorAll(".scroll")].map(({ scrollLeft, scrollTop }) => ({
      scrollLeft,
      scrollTop,
    }));
    const adopted = document.adoptNode(next);
    fingerprints.set(adopted, print);
    for (const { id } of shown.querySelectorAll("details[open][id]")) {
      adopted.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    }
    shown.replaceWith(adopted);
    adopted.querySelectorAll(".scroll").forEach((element, index) => {
      Object.assign(element, scrolled[index]);
    });
    if (focused !== null) elementOf(adopted, focused)?.focus({ preventScroll: true });
    adopted.dispatchEvent(new CustomEvent("part", { bubbles: true }));
  }
}

/** Times count on by themselves, a chart draws into its own figure, what is folded is opened: none is a change. */
function fingerprint(part: HTMLElement): string {
  const copy = part.cloneNode(true) as HTMLElement;
  for (const time of copy.querySelectorAll("[data-ago], [data-for]")) time.textContent = "";
  for (const drawn of copy.querySelectorAll("[data-drawn]")) drawn.remove();
  for (const opened of copy.querySelectorAll("details[open]")) opened.removeAttribute("open");
  return copy.outerHTML;
}

/** Somebody is writing in it, or has selected text in it. */
function isBusy(part: HTMLElement): boolean {
  const { activeElement } = document;
  const writes = activeElement?.matches("input, select, textarea") === true && part.contains(activeElement);
  const selection = document.getSelection();
  return writes || (selection?.isCollapsed === false && part.contains(selection.anchorNode));
}

/** What tells an element apart from the others of its part, in this reading and the next. */
function keyOf(element: Element | null): string | null {
  return element?.getAttribute("href") ?? element?.id ?? null;
}

function elementOf(part: HTMLElement, key: string): HTMLElement | null {
  return (
    [...part.querySelectorAll<HTMLElement>("a, button, [tabindex], input")].find(
      (one) => keyOf(one) === key,
    ) ?? null
  );
}

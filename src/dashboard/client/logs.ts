// Fills the log pane of a page and follows it while the page is visible.

/** Older lines leave the pane. */
const maxPaneLines = 1_000;
/** Before a broken connection is opened again, milliseconds. */
const reopenMs = 5_000;

class LogPane {
  readonly #pane: HTMLElement;
  readonly #state: HTMLElement;

  constructor(pane: HTMLElement, state: HTMLElement) {
    this.#pane = pane;
    this.#state = state;
    void this.#follow(pane.dataset.logs ?? "");
  }

  async #follow(path: string): Promise<void> {
    for (;;) {
      await visible();
      const hidden = new AbortController();
      const onChange = (): void => {
        if (document.hidden) hidden.abort();
      };
      document.addEventListener("visibilitychange", onChange);
      try {
        await this.#read(path, hidden.signal);
        this.#state.textContent = "The logs have ended.";
        return;
      } catch (error) {
        if (!hidden.signal.aborted) {
          this.#state.textContent = `${error instanceof Error ? error.message : String(error)}; trying again.`;
          await new Promise((resolve) => setTimeout(resolve, reopenMs));
        }
      } finally {
        document.removeEventListener("visibilitychange", onChange);
      }
    }
  }

  async #read(path: string, signal: AbortSignal): Promise<void> {
    this.#state.textContent = "Loading…";
    const response = await fetch(path, { signal });
    const isText = response.headers.get("content-type")?.startsWith("text/plain") === true;
    if (!response.ok || !isText || response.body === null)
      throw new Error(isText ? await response.text() : `The mesh responded with ${response.status}`);
    this.#pane.replaceChildren();
    this.#state.textContent = "No lines yet.";
    let rest = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const rows = (rest + part.value).split("\n");
      rest = rows.pop() ?? "";
      this.#append(rows.filter((row) => row !== ""));
    }
  }

  #append(rows: readonly string[]): void {
    if (rows.length === 0) return;
    const pane = this.#pane;
    const isAtEnd = pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 8;
    pane.append(...rows.slice(-maxPaneLines).map(lineElement));
    while (pane.childElementCount > maxPaneLines) pane.firstElementChild?.remove();
    if (isAtEnd) pane.scrollTop = pane.scrollHeight;
    this.#state.textContent = "Following: new lines appear as they are written.";
  }
}

/** All text is set as text: lines come from tasks. */
function lineElement(row: string): HTMLElement {
  const [time = "", stream = "", name = "", ...text] = row.split("\t");
  const line = document.createElement("div");
  line.className = stream === "stderr" ? "log-line is-stderr" : "log-line";
  const at = document.createElement("time");
  at.dateTime = time;
  at.title = time;
  at.textContent = time.slice(11, 23);
  line.append(at, cell("log-name", name), cell("log-stream", stream === "stderr" ? "err" : "out"));
  line.append(cell("log-text", text.join("\t")));
  return line;
}

function cell(className: string, text: string): HTMLElement {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}

async function visible(): Promise<void> {
  while (document.hidden)
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

/** Starts the pane of this page, if it has one. */
export function startLogPane(): void {
  const pane = document.querySelector<HTMLElement>("[data-logs]");
  const state = document.querySelector<HTMLElement>("[data-logs-state]");
  if (pane !== null && state !== null) new LogPane(pane, state);
}

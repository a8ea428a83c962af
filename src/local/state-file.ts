// A file of the state folder that holds the newest version of a value, also after the disk was full.

import { writeFileAtomically } from "../os/files.ts";

/** Interval between attempts to write after a failure, milliseconds. */
const writeRetryMs = 2_000;

export class StateFile {
  readonly #path: string;
  readonly #log: (line: string) => void;
  #text = "";
  #failure: string | null = null;
  #retry: NodeJS.Timeout | null = null;

  /** @param log receives a line when writing begins to fail, and when it works again */
  constructor(path: string, log: (line: string) => void) {
    this.#path = path;
    this.#log = log;
  }

  /** Replaces the content by a JSON value. If that fails, the newest value is written as soon as it works. */
  write(value: unknown): void {
    this.#text = `${JSON.stringify(value, null, 2)}\n`;
    this.#flush();
  }

  /** Ends the attempts to write. */
  close(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  #flush(): void {
    this.close();
    try {
      writeFileAtomically(this.#path, this.#text);
      if (this.#failure !== null) this.#log(`${this.#path} is written again`);
      this.#failure = null;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) this.#log(`${message}; trying again until it works`);
      this.#failure = message;
      this.#retry = setTimeout(() => this.#flush(), writeRetryMs);
      this.#retry.unref();
    }
  }
}

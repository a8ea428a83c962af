// The requests of `waggle reload`, as the process that keeps the sockets gets them: at SIGUSR2 it replaces the process
// that serves them, one at a time, and records the outcome for the command. A request during a replacement is carried
// out after it.

import { join } from "node:path";
import { writeFileAtomically } from "../os/files.ts";
import { type ReloadOutcome, reloadFile } from "./reload-file.ts";

export class ReloadRequests {
  readonly #stateDir: string;
  readonly #log: (line: string) => void;
  readonly #replace: () => Promise<string>;
  readonly #listener = (): void => this.#request();
  #count = 0;
  #running: Promise<void> | null = null;
  /** True if the signal came while a replacement was in progress. */
  #isAskedAgain = false;
  #isClosed = false;

  /**
   * Handles the signal until `close`.
   *
   * @param replace resolves with what was done, and rejects with the reason why nothing was replaced
   */
  constructor(stateDir: string, log: (line: string) => void, replace: () => Promise<string>) {
    this.#stateDir = stateDir;
    this.#log = log;
    this.#replace = replace;
    process.on("SIGUSR2", this.#listener);
  }

  /** Resolves when no replacement is in progress. */
  async settled(): Promise<void> {
    await this.#running;
  }

  close(): void {
    this.#isClosed = true;
    process.off("SIGUSR2", this.#listener);
  }

  /** A release may have been installed after the replacement in progress had begun: another one follows it. */
  #request(): void {
    if (this.#running === null) this.#running = this.#run();
    else this.#isAskedAgain = true;
  }

  async #run(): Promise<void> {
    do {
      this.#isAskedAgain = false;
      const begunMs = Date.now();
      const outcome = await this.#replace().then(
        (text) => ({ isDone: true, text }),
        (error: Error) => ({ isDone: false, text: error.message }),
      );
      this.#log(outcome.text);
      this.#count += 1;
      this.#record({ ...outcome, holder: process.pid, number: this.#count, begunMs });
    } while (this.#isAskedAgain && !this.#isClosed);
    this.#running = null;
  }

  #record(outcome: ReloadOutcome): void {
    try {
      writeFileAtomically(join(this.#stateDir, reloadFile), JSON.stringify(outcome));
    } catch (error) {
      this.#log(`cannot record the outcome: ${(error as Error).message}`);
    }
  }
}

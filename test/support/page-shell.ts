// A shell that runs the commands of a page one after the other, as a reader does in one terminal. What one of them
// exports or starts in the background stays for the next ones.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.ts";

export type ShellResult = { readonly code: number; readonly out: string };

/** The end of a command, in the output of the shell. */
const mark = "\u0001end";

export class PageShell {
  readonly #child: ChildProcess;
  readonly #folder: string;
  #output = "";
  #backgroundCount = 0;

  /** @param program the command line of bash, in its network */
  constructor([program, ...args]: readonly [string, ...string[]], folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#child = spawn(program, args, { cwd: folder, env, stdio: ["pipe", "pipe", "ignore"] });
    this.#child.stdout?.on("data", (bytes) => {
      this.#output += bytes;
    });
    this.#send("exec 2>&1");
  }

  /** Runs a command to its end. @returns its exit code, and what it printed to both outputs */
  async run(text: string, timeoutMs = 60_000): Promise<ShellResult> {
    const start = this.#output.length;
    this.#send(`{ ${text}\n} </dev/null\nprintf '${mark} %s\\n' "$?"`);
    const end = await until(
      `"${text}" to end, after ${JSON.stringify(this.#output.slice(start))}`,
      () => new RegExp(`${mark} (\\d+)\\n`).exec(this.#output.slice(start)),
      { withinMs: timeoutMs },
    );
    return { code: Number(end[1]), out: this.#output.slice(start, start + end.index) };
  }

  /** Starts a command that stays running, and waits until it has printed a text. */
  async start(text: string, readyText: string, timeoutMs = 60_000): Promise<void> {
    this.#backgroundCount += 1;
    const log = join(this.#folder, `.background-${this.#backgroundCount}.log`);
    this.#send(`{ ${text}\n} </dev/null >'${log}' 2>&1 &`);
    const printed = () => (existsSync(log) ? readFileSync(log, "utf8") : "");
    await until(`"${text}" to print "${readyText}"`, () => printed().includes(readyText), {
      withinMs: timeoutMs,
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it printed:\n${printed()}`);
    });
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }

  #send(text: string): void {
    this.#child.stdin?.write(`${text}\n`);
  }
}

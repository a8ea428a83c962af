// A real agent in its own process, for tests. The process runs this file.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type AgentOptions, defaultAgentOptions, runAgent } from "../../src/agent/agent.ts";
import { cacheFolder } from "../../src/package/program-files.ts";

export type StartedAgent = {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly lines: string[];
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
};

export function newStateDir(): string {
  return mkdtempSync(join(tmpdir(), "waggle-agent-"));
}

/** Starts an agent with these options and the defaults for the others. */
export function startAgent(
  options: Partial<AgentOptions> & Pick<AgentOptions, "url" | "stateDir">,
): StartedAgent {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
    // Compiling the sources would take most of the start.
    env: { ...process.env, NODE_COMPILE_CACHE: cacheFolder },
  });
  const lines: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => lines.push(...chunk.toString().split("\n").filter(Boolean)));
  const exited = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return { process: child, pid: child.pid ?? 0, lines, exited };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Tasks must not inherit it.
  delete process.env.NODE_COMPILE_CACHE;
  const options = JSON.parse(process.argv[2] ?? "{}") as AgentOptions;
  const defaults = {
    ...defaultAgentOptions,
    hostname: "node1",
    address: "127.0.0.1",
    gatewayPort: 0,
    // A daemon of the machine that runs the tests must not get their tasks.
    runtime: "process",
    log: console.log,
  };
  process.exit(await runAgent({ ...defaults, ...options }));
}

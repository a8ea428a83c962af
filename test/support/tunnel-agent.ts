// The agent's end of a tunnel in a process of its own, for tests. The process runs this file.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { TunnelClient } from "../../src/agent/tunnel/tunnel-client.ts";
import { cacheFolder } from "../../src/package/program-files.ts";
import { forwardExchange } from "./forward-exchange.ts";

export type TunnelAgent = {
  readonly pid: number;
  readonly lines: string[];
  readonly exited: Promise<unknown>;
  readonly stop: () => Promise<void>;
};

/** Starts a process that dials `url` and serves requests by the server at `port`. */
export function startTunnelAgent(url: string, port: number): TunnelAgent {
  const args = [fileURLToPath(import.meta.url), url, String(port)];
  const env = { ...process.env, NODE_COMPILE_CACHE: cacheFolder };
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env });
  const lines: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => lines.push(...chunk.toString().split("\n").filter(Boolean)));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return { pid: child.pid ?? 0, lines, exited, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , url = "", port] = process.argv;
  const client = new TunnelClient({
    url,
    membership: { nodeId: "n".repeat(25), credential: "c".repeat(32) },
    handle: (exchange) => forwardExchange(exchange, Number(port)),
    log: console.log,
    nowMs: Date.now,
    random: () => 0.1,
  });
  console.log(await client.run(new AbortController().signal));
}

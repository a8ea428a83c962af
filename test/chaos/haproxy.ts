// HAProxy as people write it, in front of task processes at fixed addresses, as a Swarm's nodes would be. The processes
// are the same program that the mesh runs as tasks, and are restarted when they die, as the mesh restarts its own.

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";
import { type Contender, nodeAddress, nodeCount, type Setup } from "./contender.ts";

const program = fileURLToPath(new URL("faulty.ts", import.meta.url));

/** Waits before the first, second, … restart in a row, milliseconds: the mesh's own. */
const restartDelaysMs = [0, 1_000, 2_000, 4_000, 8_000];

/** @param dir an empty folder for its configuration */
export async function startHaproxy(dir: string, setup: Setup): Promise<Contender> {
  const port = await freePort();
  const servers: Server[] = [];
  for (let slot = 1; slot <= setup.tasks; slot += 1) servers.push(await Server.start(slot, setup.env));
  const config = join(dir, "haproxy.cfg");
  writeFileSync(config, configuration(port, servers));
  const haproxy = spawn("haproxy", ["-db", "-f", config], { stdio: ["ignore", "ignore", "ignore"] });
  const url = `http://127.0.0.1:${port}/`;
  await until("HAProxy to answer", async () => (await fetch(url)).status < 600);
  const on = (node: number) => servers.filter((one) => one.node === node);
  return {
    name: "HAProxy",
    url,
    killTask: async (slot) => servers[slot - 1]?.signal("SIGKILL"),
    freezeNode: async (node) => {
      for (const server of on(node)) server.signal("SIGSTOP");
      return () => {
        for (const server of on(node)) server.signal("SIGCONT");
      };
    },
    scale: async (tasks) => {
      await Promise.all(servers.map((one, index) => (index < tasks ? one.run() : one.end())));
    },
    drain: async (node) => {
      await Promise.all(on(node).map((one) => one.end()));
    },
    roll: async () => {
      for (const server of servers) {
        await server.end();
        await server.run();
      }
    },
    killAgent: null,
    killRegistry: null,
    stop: async () => {
      haproxy.kill("SIGKILL");
      for (const server of servers) server.destroy();
    },
  };
}

function configuration(port: number, servers: readonly Server[]): string {
  const lines = servers.map((one) => `    server node${one.node}-${one.slot} ${one.origin} check`);
  return `global
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    retries 3
    option redispatch
listen my-web
    bind 127.0.0.1:${port}
    balance roundrobin
${lines.join("\n")}
`;
}

/** One task process at a fixed address. */
class Server {
  readonly slot: number;
  readonly node: number;
  readonly #port: number;
  readonly #env: Setup["env"];
  #child: ChildProcess | null = null;
  #wanted = true;
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(slot: number, port: number, env: Setup["env"]) {
    this.slot = slot;
    this.node = ((slot - 1) % nodeCount) + 1;
    this.#port = port;
    this.#env = env;
  }

  static async start(slot: number, env: Setup["env"]): Promise<Server> {
    const server = new Server(slot, await freePort(), env);
    await server.run();
    return server;
  }

  get origin(): string {
    return `${nodeAddress(this.node)}:${this.#port}`;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Starts it if it does not run, and waits until it listens. */
  async run(): Promise<void> {
    this.#wanted = true;
    if (this.#child === null) this.#launch();
    await until(`${this.origin} to listen`, () => fetch(`http://${this.origin}/healthz`).then(Boolean));
  }

  /** Asks it to stop, and waits until it has. */
  async end(): Promise<void> {
    this.#wanted = false;
    this.signal("SIGTERM");
    await until(`${this.origin} to end`, () => this.#child === null, { withinMs: 15_000 });
  }

  destroy(): void {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.signal("SIGKILL");
  }

  #launch(): void {
    const own = { HOST: nodeAddress(this.node), PORT: String(this.#port), WAGGLE_SLOT: String(this.slot) };
    const env = { ...process.env, ...this.#env, ...own };
    const child = spawn(process.execPath, [program], { env, stdio: "ignore" });
    this.#child = child;
    child.once("exit", () => {
      this.#child = null;
      if (!this.#wanted) return;
      const delayMs = restartDelaysMs[Math.min(this.#restarts, restartDelaysMs.length - 1)] ?? 0;
      this.#restarts += 1;
      this.#timer = setTimeout(() => this.#launch(), delayMs);
    });
  }
}

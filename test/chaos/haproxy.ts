// HAProxy with a usual configuration, in front of task processes at fixed addresses that stand for a Swarm's
// nodes. The processes run the program of the mesh's tasks and restart with the mesh's delays.

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";
import { type Contender, nodeAddress, nodeCount, type Setup } from "./contender.ts";
import { blackhole } from "./sandbox.ts";

const program = fileURLToPath(new URL("faulty.ts", import.meta.url));

/** The mesh's delays before the first, second, … consecutive restart. */
const restartDelaysMs = [0, 1_000, 2_000, 4_000, 8_000];

/** @param dir an empty folder for the configuration */
export async function startHaproxy(dir: string, setup: Setup): Promise<Contender> {
  const port = await freePort();
  const servers: Server[] = [];
  for (let slot = 1; slot <= setup.tasks; slot += 1) servers.push(await Server.start(slot, setup.env));
  const config = join(dir, "haproxy.cfg");
  writeFileSync(config, configuration(port, servers));
  const haproxy = spawn("haproxy", ["-db", "-f", config], { stdio: ["ignore", "ignore", "ignore"] });
  const url = `http://127.0.0.1:${port}/`;
  await until("HAProxy to respond", async () => (await fetch(url)).status < 600);
  const serversOn = (node: number) => servers.filter((server) => server.node === node);
  return {
    name: "HAProxy",
    url,
    killTask: async (slot) => servers[slot - 1]?.signal("SIGKILL"),
    freezeNode: async (node) => {
      for (const server of serversOn(node)) server.signal("SIGSTOP");
      return () => {
        for (const server of serversOn(node)) server.signal("SIGCONT");
      };
    },
    cutNode: async (node) => blackhole(node),
    scale: async (tasks) => {
      await Promise.all(servers.map((server, index) => (index < tasks ? server.run() : server.end())));
    },
    drain: async (node) => {
      await Promise.all(serversOn(node).map((server) => server.end()));
    },
    roll: async () => {
      for (const server of servers) {
        await server.end();
        await server.run();
      }
    },
    killAgent: "has no agent",
    killRegistry: "has no registry",
    rotateKey: "has no gateways",
    machines: null,
    stop: async () => {
      haproxy.kill("SIGKILL");
      for (const server of servers) server.destroy();
    },
  };
}

function configuration(port: number, servers: readonly Server[]): string {
  const lines = servers.map(({ node, slot, origin }) => `    server node${node}-${slot} ${origin} check`);
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
  #shouldRun = true;
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

  /** Starts the process if necessary, and waits until it listens. */
  async run(): Promise<void> {
    this.#shouldRun = true;
    if (this.#child === null) this.#launch();
    await until(`${this.origin} to listen`, () => fetch(`http://${this.origin}/healthz`).then(Boolean));
  }

  /** Sends SIGTERM, and waits for the exit. */
  async end(): Promise<void> {
    this.#shouldRun = false;
    this.signal("SIGTERM");
    await until(`${this.origin} to exit`, () => this.#child === null, { withinMs: 15_000 });
  }

  destroy(): void {
    this.#shouldRun = false;
    clearTimeout(this.#timer);
    this.signal("SIGKILL");
  }

  #launch(): void {
    const taskEnv = {
      HOST: nodeAddress(this.node),
      PORT: String(this.#port),
      WAGGLE_SLOT: String(this.slot),
    };
    const env = { ...process.env, ...this.#env, ...taskEnv };
    const child = spawn(process.execPath, [program], { env, stdio: "ignore" });
    this.#child = child;
    child.once("exit", () => {
      this.#child = null;
      if (!this.#shouldRun) return;
      const delayMs = restartDelaysMs[Math.min(this.#restarts, restartDelaysMs.length - 1)] ?? 0;
      this.#restarts += 1;
      this.#timer = setTimeout(() => this.#launch(), delayMs);
    });
  }
}

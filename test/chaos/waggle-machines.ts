// Waggle with each node on a machine of its own, a network namespace, behind one of the mesh's transports.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Machine, Network } from "../../infra/lab/network.ts";
import { MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";
import { type Contender, type LabTransport, nodeCount, type Setup } from "./contender.ts";
import { contenderOf, createService, pidsOn, post, writeImages } from "./waggle.ts";

const waggleProgram = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** After which systemd starts an agent again that died: `RestartSec` of infra/agent/waggle-agent.service. */
const restartDelayMs = 2_000;

type EngineNode = {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Labels?: Readonly<Record<string, string>> };
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string };
};

/** The mesh does not have the transport. */
export class NoTransport extends Error {}

/**
 * Starts a mesh on one machine and three nodes on others. With the tunnel, node 2 is behind NAT. The load comes
 * from the machine that this process is on.
 *
 * @param dir an empty folder for the state
 * @throws NoTransport
 */
export async function startWaggleOnMachines(
  dir: string,
  setup: Setup,
  transport: LabTransport,
): Promise<Contender> {
  const network = new Network("wl", dir, { client: "here", hasNat: transport === "tunnel" });
  network.create();
  try {
    const place = {
      address: network.addressOf("mesh"),
      command: (words: readonly string[]) => network.command("mesh", words),
    };
    const mesh = await MeshProcess.startAt(place, ["--nodes", "0", "--empty", "--split"], join(dir, "state"));
    const { out: token } = await mesh.waggle("join-token", "-q");
    const agents = new Agents(network, dir, mesh, token.trim());
    for (let node = 1; node <= nodeCount; node += 1) await agents.start(node);
    await useTransport(mesh, agents, transport);
    const contender = contenderOf(mesh, await createService(mesh, setup), {
      agentPid: (node) => agents.pid(node),
      cut: (node) => {
        network.cut(machineOf(node));
        return () => network.heal(machineOf(node));
      },
      machines: {
        transport,
        start: async (node) => {
          await agents.start(node);
          await agents.ready(node);
        },
        leave: (node) => agents.leave(node),
        tasks: async (node) => (await pidsOn(mesh, node)).length,
        resetConnections: (node) => network.resetConnections(machineOf(node), "mesh", mesh.controlPort),
      },
    });
    const stop = async (): Promise<void> => {
      agents.end();
      await contender.stop();
      network.remove();
    };
    return { ...contender, stop };
  } catch (error) {
    network.remove();
    throw error;
  }
}

/** Pins the transport of all nodes, and waits until routers use it. @throws NoTransport */
async function useTransport(mesh: MeshProcess, agents: Agents, transport: LabTransport): Promise<void> {
  for (let node = 1; node <= nodeCount; node += 1) {
    if (agents.log(node).includes("is not confirmed")) throw new NoTransport("this mesh has no tunnel");
    await agents.ready(node);
    if (transport === "direct") continue;
    const { ID, Version, Spec } = await agents.find(node);
    const labels = { ...Spec.Labels, "waggle.transport": transport };
    await post(mesh, `/nodes/${ID}/update?version=${Version.Index}`, { ...Spec, Labels: labels });
  }
  await until(
    `the transport ${transport}`,
    async () => {
      const { out } = await mesh.waggle("table");
      return (
        out.split("\n").filter((line) => line.startsWith("node ") && line.includes(` ${transport} `))
          .length === nodeCount
      );
    },
    { withinMs: 30_000, everyMs: 500 },
  );
}

/** The agents of the nodes, each started again after it died. */
class Agents {
  readonly #network: Network;
  readonly #dir: string;
  readonly #mesh: MeshProcess;
  readonly #token: string;
  readonly #running = new Map<number, ChildProcess>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(network: Network, dir: string, mesh: MeshProcess, token: string) {
    this.#network = network;
    this.#dir = dir;
    this.#mesh = mesh;
    this.#token = token;
    mkdirSync(join(dir, "log"));
    writeImages(dir);
  }

  async start(node: number): Promise<void> {
    const machine = machineOf(node);
    const flags = ["--address", this.#network.addressOf(machine), "--state", join(this.#dir, machine)];
    const words = [process.execPath, waggleProgram, "agent", this.#mesh.control, ...flags];
    const [command, ...args] = this.#network.command(machine, [
      ...words,
      "--images",
      join(this.#dir, "images.json"),
    ]);
    const log = openSync(this.#logFile(node), "a");
    const child = spawn(command, args, {
      env: { ...process.env, WAGGLE_JOIN_TOKEN: this.#token },
      stdio: ["ignore", log, log],
    });
    this.#running.set(node, child);
    child.once("exit", (code) => {
      // An agent that has left is not started again.
      if (this.#running.get(node) !== child || code === 0) return;
      this.#timers.add(setTimeout(() => void this.start(node), restartDelayMs));
    });
    await until(`${machine} to reach the mesh`, () => this.log(node).includes("connected to the registry"), {
      withinMs: 30_000,
    });
  }

  /** Sends SIGTERM, and waits for the exit. */
  async leave(node: number): Promise<void> {
    const child = this.#running.get(node);
    this.#running.delete(node);
    child?.kill("SIGTERM");
    await until(`node${node} to leave`, () => child?.exitCode !== null, { withinMs: 60_000 });
  }

  ready(node: number): Promise<unknown> {
    return until(`node${node} to be ready`, async () => (await this.find(node)).Status.State === "ready", {
      withinMs: 30_000,
      everyMs: 200,
    });
  }

  async find(node: number): Promise<EngineNode> {
    const nodes = await this.#mesh.get<readonly EngineNode[]>("/nodes");
    const found = nodes.findLast(({ Description }) => Description.Hostname === machineOf(node));
    if (found === undefined) throw new Error(`node${node} not found`);
    return found;
  }

  /** Process id of a running agent. */
  pid(node: number): number {
    const pid = this.#running.get(node)?.pid;
    if (pid === undefined) throw new Error(`the agent of node${node} does not run`);
    return pid;
  }

  log(node: number): string {
    return readFileSync(this.#logFile(node), "utf8");
  }

  /** Starts none again. */
  end(): void {
    this.#running.clear();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #logFile(node: number): string {
    return join(this.#dir, "log", machineOf(node));
  }
}

function machineOf(node: number): Machine {
  return `node${node}` as Machine;
}

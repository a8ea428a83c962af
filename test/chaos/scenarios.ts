// The scenarios: the failure that each row of the table causes in both contenders under load.

import { until } from "../support/until.ts";
import { transferBulk } from "./bulk-transfer.ts";
import type { Contender, Setup } from "./contender.ts";
import { isSandboxed } from "./sandbox.ts";

export type Scenario = {
  readonly name: string;
  /** The failure in words. */
  readonly what: string;
  readonly setup: Setup;
  /** Minimum duration of the load; absent: as set for the run. */
  readonly seconds?: number;
  /** Processes that die at once. Each may take one POST with it that it has not read yet. Absent: none. */
  readonly deaths?: number;
  /** Why the scenario cannot run on this machine, or with this contender; null if it can. */
  readonly skip: (contender: Contender | null) => string | null;
  /**
   * Causes the failure. `at` waits until so many milliseconds after the start of the load.
   *
   * @returns what else was measured, for people
   */
  readonly act: (
    contender: Contender,
    at: (ms: number) => Promise<void>,
    sizes: ScenarioSizes,
  ) => Promise<string | undefined>;
};

/** What a run sets besides its load. */
type ScenarioSizes = { readonly bulkMib: number };

const never = (): null => null;
const nothing = async (): Promise<undefined> => undefined;

/** Duration of a frozen or unreachable node. */
const outageMs = 8_000;
const beginMs = 1_500;
/** Load until after the outage. */
const outageSeconds = 12;

export const scenarios: readonly Scenario[] = [
  { name: "steady", what: "nothing", setup: plain(3), skip: never, act: nothing },
  {
    name: "task-killed",
    what: "kill -9 of a task, twice",
    setup: plain(3),
    deaths: 2,
    skip: never,
    act: async (contender, at) => {
      await at(beginMs);
      await contender.killTask(1);
      await at(6_000);
      await contender.killTask(2);
    },
  },
  {
    name: "node-frozen",
    what: "SIGSTOP of node 2's task (and agent) for 8 s",
    setup: plain(3),
    seconds: outageSeconds,
    skip: never,
    act: async (contender, at) => {
      await at(beginMs);
      const thaw = await contender.freezeNode(2);
      await at(beginMs + outageMs).finally(thaw);
    },
  },
  {
    name: "node-blackholed",
    what: "packets to and from node 2 dropped for 8 s",
    setup: plain(3),
    seconds: outageSeconds,
    skip: () => (isSandboxed ? null : "needs its own network namespace: unshare and ip, as root on Linux"),
    act: async (contender, at) => {
      await at(beginMs);
      const restore = await contender.cutNode(2);
      await at(beginMs + outageMs).finally(restore);
    },
  },
  {
    name: "resets",
    what: "task 1 resets every second connection",
    setup: faulty("reset"),
    skip: never,
    act: nothing,
  },
  {
    name: "app-503",
    what: "all tasks respond to every second request with 503",
    setup: { tasks: 3, env: { FAULT: "503" } },
    skip: never,
    act: nothing,
  },
  { name: "slow-task", what: "task 1 takes 500 ms longer", setup: faulty("slow"), skip: never, act: nothing },
  {
    name: "flapping",
    what: "task 1 exits a second after each start",
    setup: faulty("crash"),
    deaths: 5,
    skip: never,
    act: nothing,
  },
  {
    name: "scale",
    what: "4 tasks, 1, 4",
    setup: plain(4),
    skip: never,
    act: async (contender, at) => {
      await at(beginMs);
      await contender.scale(1);
      await at(6_500);
      await contender.scale(4);
    },
  },
  {
    name: "drain",
    what: "node 2 drained",
    setup: plain(3),
    skip: never,
    act: async (contender, at) => {
      await at(beginMs);
      await contender.drain(2);
    },
  },
  {
    name: "rolling-update",
    what: "6 tasks replaced one by one",
    setup: plain(6),
    skip: never,
    act: async (contender, at) => {
      await at(beginMs);
      await contender.roll();
    },
  },
  {
    name: "agent-killed",
    what: "kill -9 of node 2's agent",
    setup: plain(3),
    deaths: 1,
    skip: lacks("killAgent"),
    act: async ({ killAgent }, at) => {
      await at(beginMs);
      if (typeof killAgent === "function") await killAgent(2);
    },
  },
  {
    name: "registry-killed",
    what: "kill -9 of the registry, which restarts after 20 s; kill -9 of a task meanwhile",
    setup: plain(3),
    seconds: 25,
    deaths: 1,
    skip: lacks("killRegistry"),
    act: async ({ killRegistry, killTask }, at) => {
      await at(beginMs);
      const release = typeof killRegistry === "function" ? await killRegistry() : undefined;
      await at(8_000);
      await killTask(1);
      await at(beginMs + 20_000).finally(release);
    },
  },
  {
    name: "gateway-killed",
    what: "kill -9 of node 2's agent and so of its gateway, which starts again, and of node 3's",
    setup: plain(3),
    deaths: 2,
    skip: lacks("killAgent"),
    act: async ({ killAgent }, at) => {
      if (typeof killAgent !== "function") return undefined;
      await at(beginMs);
      await killAgent(2);
      await at(6_000);
      await killAgent(3);
      return undefined;
    },
  },
  {
    name: "tunnel-cut",
    what: "node 2's connections to the mesh reset, and new ones refused, for 5 s",
    setup: plain(3),
    skip: needsMachines("nodes of one machine connect to the mesh from one address"),
    act: async ({ machines }, at) => {
      await at(beginMs);
      const restore = machines?.resetConnections(2);
      await at(beginMs + 5_000).finally(restore);
    },
  },
  {
    name: "node-leaves",
    what: "node 2 leaves, joins again, and gets a task",
    setup: plain(3),
    seconds: 25,
    skip: needsMachines("the agents of `waggle up` stay for as long as the mesh"),
    act: async (contender, at) => {
      await at(beginMs);
      await contender.machines?.leave(2);
      await contender.machines?.start(2);
      await contender.scale(4);
      const isBusy = async () => ((await contender.machines?.tasks(2)) ?? 0) > 0;
      await until("node 2 to run a task", isBusy, { withinMs: 20_000, everyMs: 200 });
    },
  },
  {
    name: "key-rotated",
    what: "the key of the gateways is replaced; routers sign with the new one 15 s later",
    setup: plain(3),
    seconds: 25,
    skip: lacks("rotateKey"),
    act: async ({ rotateKey }, at) => {
      await at(beginMs);
      if (typeof rotateKey === "function") await rotateKey();
    },
  },
  {
    name: "bulk",
    what: "1 GiB down and 1 GiB up, by one client (--bulk-mib)",
    setup: plain(3),
    seconds: 20,
    skip: never,
    act: async ({ url }, at, { bulkMib }) => {
      await at(beginMs);
      const { down, up } = await transferBulk(url, bulkMib);
      return `${bulkMib} MiB down in ${down.toFixed(1)} s, up in ${up.toFixed(1)} s`;
    },
  },
];

/** Skips the scenario for a contender that cannot do this, with its reason. */
function lacks(ability: "killAgent" | "killRegistry" | "rotateKey"): Scenario["skip"] {
  return (contender) => {
    const able = contender?.[ability];
    return typeof able === "string" ? able : null;
  };
}

/** @param why the nodes must be machines of their own */
function needsMachines(why: string): Scenario["skip"] {
  return (contender) =>
    contender !== null && contender.machines === null ? `needs --transport direct or tunnel: ${why}` : null;
}

function plain(tasks: number): Setup {
  return { tasks, env: {} };
}

function faulty(fault: string): Setup {
  return { tasks: 3, env: { FAULT: fault, FAULT_SLOT: "1" } };
}

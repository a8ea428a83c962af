// The address translation of a node, for names of services: iptables rules that send connections of its containers to
// the mesh's addresses to ports of the agent. They are in chains of the agent's own, replaced as a whole.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import type { LocalNetwork } from "../runtimes/runtime.ts";
import type { NamesPlan } from "./names-plan.ts";

/** A port of the agent on this machine's own address in a network. */
export type OpenAddress = { readonly gateway: string; readonly port: number };

export type RuleInput = {
  /** The address that containers have as their name server. */
  readonly nameServer: string;
  /** The networks of this machine, each with the port of the name server there. */
  readonly networks: readonly (LocalNetwork & { readonly nameServerPort: number })[];
  readonly plan: Pick<NamesPlan, "addresses" | "clients">;
  /** Where the agent accepts the connections to an address, by `NETWORK ADDRESS PORT`. */
  readonly listeners: ReadonlyMap<string, OpenAddress>;
};

/** No program listens there (tcpmux), so that the machine refuses a connection at once. */
const closedPort = 1;

/** A name in the length that iptables allows. @param agent identifies the agent across its restarts */
export function chainOf(agent: string): string {
  return `WAGGLE-${createHash("sha256").update(agent).digest("hex").slice(0, 8)}`;
}

/**
 * The input of `iptables-restore --noflush`. Equal input gives equal text.
 *
 * @param stale further chains that are removed
 */
export function rulesText(chain: string, input: RuleInput, stale: readonly string[] = []): string {
  const { nameServer, networks, plan, listeners } = input;
  const gateways = new Map(networks.map(({ id, gateway }) => [id, gateway]));
  const chains = networkChains(chain, input);
  const nat: string[] = [];
  for (const { subnet, gateway, nameServerPort } of networks) {
    for (const protocol of ["udp", "tcp"]) {
      const match = `-s ${subnet} -d ${nameServer}/32 -p ${protocol} --dport 53`;
      nat.push(`-A ${chain} ${match} -j DNAT --to-destination ${gateway}:${nameServerPort}`);
    }
  }
  for (const { ip, networkIds } of plan.clients) {
    for (const id of networkIds) {
      if (chains.has(id)) nat.push(`-A ${chain} -s ${ip}/32 -j ${chains.get(id)}`);
    }
  }
  for (const [id, name] of chains) {
    const gateway = gateways.get(id);
    for (const [key, { gateway: host, port }] of listeners) {
      const [networkId, address, original] = key.split(" ");
      if (networkId !== id) continue;
      const match = `-d ${address}/32 -p tcp --dport ${original}`;
      nat.push(`-A ${name} ${match} -j DNAT --to-destination ${host}:${port}`);
    }
    for (const address of plan.addresses.get(id) ?? []) {
      // A port that no task has is refused here, and not looked for in other networks of the machine.
      for (const protocol of ["tcp", "udp"]) {
        const target = `${gateway}:${closedPort}`;
        nat.push(`-A ${name} -d ${address}/32 -p ${protocol} -j DNAT --to-destination ${target}`);
      }
      nat.push(`-A ${name} -d ${address}/32 -p icmp -j DNAT --to-destination ${gateway}`);
    }
  }
  // For a machine whose firewall closes it to its containers.
  const filter = networks.map(
    ({ subnet }) => `-A ${chain} -s ${subnet} -m conntrack --ctstate DNAT -j ACCEPT`,
  );
  return [
    "*nat",
    ...[chain, ...chains.values(), ...stale].map((name) => `:${name} - [0:0]`),
    ...nat,
    ...stale.map((name) => `-X ${name}`),
    "COMMIT",
    "*filter",
    `:${chain} - [0:0]`,
    ...filter,
    "COMMIT",
    "",
  ].join("\n");
}

/** The names of the chains of networks. */
function networkChains(chain: string, { plan, networks }: RuleInput): ReadonlyMap<string, string> {
  const present = new Set(networks.map(({ id }) => id));
  const ids = [...plan.addresses.keys()].filter((id) => present.has(id)).sort();
  return new Map(
    ids.map((id) => [id, `${chain}-${createHash("sha256").update(id).digest("hex").slice(0, 8)}`]),
  );
}

/** The chains of the system that lead to the agent's. */
const jumps = [
  ["nat", "PREROUTING"],
  ["filter", "INPUT"],
] as const;

/** The chains of one agent in this machine's tables. */
export class NameRules {
  readonly #chain: string;
  #applied = "";
  /** An earlier agent may have left chains. */
  #isClean = false;

  constructor(agent: string) {
    this.#chain = chainOf(agent);
  }

  /** Why the agent cannot set rules on this machine; null if it can. */
  static async problem(): Promise<string | null> {
    try {
      await run("iptables-restore", ["--version"]);
      await run("iptables", ["-w", "5", "-t", "nat", "-S", "PREROUTING"]);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Replaces the rules. Rejects with the message of iptables. */
  async apply(input: RuleInput): Promise<void> {
    if (input.networks.length === 0) {
      if (!this.#isClean) await this.remove();
      return;
    }
    this.#isClean = false;
    const wanted = rulesText(this.#chain, input);
    if (wanted === this.#applied && (await this.#isInPlace())) return;
    this.#applied = "";
    const names = new Set([this.#chain, ...networkChains(this.#chain, input).values()]);
    const stale = (await this.#chains()).filter((name) => !names.has(name));
    await restore(rulesText(this.#chain, input, stale));
    for (const [table, parent] of jumps) {
      const rule = [parent, "-j", this.#chain];
      const isThere = await succeeds("iptables", ["-w", "5", "-t", table, "-C", ...rule]);
      if (!isThere) await run("iptables", ["-w", "5", "-t", table, "-I", ...rule]);
    }
    this.#applied = wanted;
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    this.#applied = "";
    for (const [table, parent] of jumps) {
      const rule = [parent, "-j", this.#chain];
      while (await succeeds("iptables", ["-w", "5", "-t", table, "-D", ...rule]));
    }
    const chains = await this.#chains();
    const lines = chains.map((name) => `:${name} - [0:0]`);
    const removals = chains.map((name) => `-X ${name}`);
    if (chains.length > 0) await restore(["*nat", ...lines, ...removals, "COMMIT", ""].join("\n"));
    const filter = ["*filter", `:${this.#chain} - [0:0]`, `-X ${this.#chain}`, "COMMIT", ""];
    if (await succeeds("iptables", ["-w", "5", "-S", this.#chain])) await restore(filter.join("\n"));
    this.#isClean = true;
  }

  /** Another program may have emptied the tables. */
  async #isInPlace(): Promise<boolean> {
    for (const [table, parent] of jumps) {
      const rule = ["-w", "5", "-t", table, "-C", parent, "-j", this.#chain];
      if (!(await succeeds("iptables", rule))) return false;
    }
    return true;
  }

  /** The chains of this agent in the table nat. */
  async #chains(): Promise<readonly string[]> {
    const rules = await run("iptables", ["-w", "5", "-t", "nat", "-S"]);
    const names = rules.split("\n").flatMap((line) => /^-N (\S+)$/.exec(line)?.[1] ?? []);
    return names.filter((name) => name === this.#chain || name.startsWith(`${this.#chain}-`));
  }
}

function restore(text: string): Promise<string> {
  return run("iptables-restore", ["-w", "5", "--noflush"], text);
}

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return run(program, args).then(
    () => true,
    () => false,
  );
}

/** Rejects with what the program printed. */
function run(program: string, args: readonly string[], input = ""): Promise<string> {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args], { env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program}: ${stderr.trim() || error.message}`));
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

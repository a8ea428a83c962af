// The network of the lab: machines in network namespaces on a public segment, and one node behind a router with NAT.
//
//   198.51.100.0/24 (RFC 5737)   mesh .10   node1 .11   router .12   node3 .13   balancer .20   client .30
//   10.7.0.0/24                  router .1 (masquerades)   node2 .2
//
// All links are inside of namespaces that the lab makes, so that nothing changes in the machine's own network.
//
// @see docs/decisions/0078-lab-of-namespaces.md

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { enterMachine, firstProcess, pidsIn, startInnerMachine } from "./inner-machine.ts";

/** The machines that run programs of the lab. */
export const machines = ["mesh", "node1", "node2", "node3", "balancer", "client"] as const;
export type Machine = (typeof machines)[number];

/** The node behind NAT. */
export const hiddenNode = "node2";

/** The machine's own address. */
export const ownAddress: Readonly<Record<Machine, string>> = {
  mesh: "198.51.100.10",
  node1: "198.51.100.11",
  node2: "10.7.0.2",
  node3: "198.51.100.13",
  balancer: "198.51.100.20",
  client: "198.51.100.30",
};

const routerAddress = "198.51.100.12";
const routerInside = "10.7.0.1";

/** Where the public segment reaches a machine: for the node behind NAT, its router. */
export function publicAddress(machine: Machine): string {
  return machine === hiddenNode ? routerAddress : ownAddress[machine];
}

/** The ports that the router forwards to the node behind it: published ones, and not the gateway's. */
const forwardedPorts = ["8080:8089", "30000:32767"];

const device = "wl0";

export type NetworkOptions = {
  /** The client's machine: a namespace of its own, or the one that this process is in. */
  readonly client: "own" | "here";
  /** False: the node behind NAT is on the public segment, at the address of its router. */
  readonly hasNat: boolean;
};

export class Network {
  /** Begins the name of each namespace: `wl-node1`. */
  readonly #prefix: string;
  readonly #hosts: string;
  readonly #options: NetworkOptions;
  readonly #firstProcesses = new Map<Machine, number>();

  /**
   * @param prefix begins the names of the namespaces
   * @param dir an existing folder for the host names of the lab
   */
  constructor(prefix: string, dir: string, options: NetworkOptions = { client: "own", hasNat: true }) {
    this.#prefix = prefix;
    this.#hosts = join(dir, "hosts");
    this.#options = options;
  }

  get hasNat(): boolean {
    return this.#options.hasNat;
  }

  /** The machine's own address. */
  addressOf(machine: Machine): string {
    return this.#options.hasNat ? ownAddress[machine] : publicAddress(machine);
  }

  /** True if the lab's namespaces exist. */
  exists(): boolean {
    return existsSync(`/run/netns/${this.#namespace("switch")}`);
  }

  /** Makes the namespaces and their links. @throws if one exists, or the system does not allow it */
  create(): void {
    const lines = machines.map((machine) => `${this.addressOf(machine)} ${machine}`);
    writeFileSync(this.#hosts, `127.0.0.1 localhost\n${lines.join("\n")}\n`);
    mkdirSync("/run/netns", { recursive: true });
    this.#add("switch");
    this.#ip("switch", "link add wl-br0 type bridge");
    this.#ip("switch", "link set wl-br0 up");
    for (const machine of machines) this.#addMachine(machine);
    if (this.#options.hasNat) this.#addRouter();
  }

  #addMachine(machine: Machine): void {
    if (machine === "client" && this.#options.client === "here") {
      const peer = ["type", "veth", "peer", "name", `wl-${machine}`, "netns", this.#namespace("switch")];
      execFileSync("ip", ["link", "add", device, ...peer]);
      execFileSync("ip", ["addr", "add", `${ownAddress.client}/24`, "dev", device]);
      execFileSync("ip", ["link", "set", device, "up"]);
      this.#plug(machine);
      return;
    }
    this.#add(machine);
    if (!this.#isHidden(machine)) this.#connect(machine, this.addressOf(machine));
  }

  /** The router of the node behind NAT. Its namespace has both segments. */
  #addRouter(): void {
    this.#add("router");
    this.#connect("router", routerAddress);
    const peer = `type veth peer name wl-lan netns ${this.#namespace("router")}`;
    this.#ip(hiddenNode, `link add ${device} ${peer}`);
    this.#ip(hiddenNode, `addr add ${ownAddress[hiddenNode]}/24 dev ${device}`);
    this.#ip(hiddenNode, `link set ${device} up`);
    this.#ip(hiddenNode, `route add default via ${routerInside}`);
    this.#ip("router", `addr add ${routerInside}/24 dev wl-lan`);
    this.#ip("router", "link set wl-lan up");
    this.#run("router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    const tables = (...rule: string[]) => this.#run("router", "iptables", "-w", ...rule);
    tables("-t", "nat", "-A", "POSTROUTING", "-s", "10.7.0.0/24", "-o", device, "-j", "MASQUERADE");
    for (const ports of forwardedPorts) {
      const to = ["-j", "DNAT", "--to-destination", ownAddress[hiddenNode]];
      tables("-t", "nat", "-A", "PREROUTING", "-i", device, "-p", "tcp", "--dport", ports, ...to);
    }
    // A router with NAT does not route to private addresses for the public segment.
    const outside = ["-A", "FORWARD", "-i", device, "-m", "conntrack"];
    tables(...outside, "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT");
    tables(...outside, "--ctstate", "DNAT", "-j", "ACCEPT");
    tables("-A", "FORWARD", "-i", device, "-j", "DROP");
  }

  /** Unplugs a machine's cable: its packets are lost, and its connections stay open. */
  cut(machine: Machine): void {
    this.#setCable(machine, "down");
  }

  heal(machine: Machine): void {
    this.#setCable(machine, "up");
  }

  /** The namespace at the far end of the cable loses it, so that routes of the machine stay. */
  #setCable(machine: Machine, state: "up" | "down"): void {
    const isBehindRouter = machine === hiddenNode && existsSync(`/run/netns/${this.#namespace("router")}`);
    if (isBehindRouter) this.#ip("router", `link set wl-lan ${state}`);
    else this.#ip("switch", `link set wl-${machine} ${state}`);
  }

  #isHidden(machine: Machine): boolean {
    return this.#options.hasNat && machine === hiddenNode;
  }

  /**
   * Resets each connection of a machine to a TCP port elsewhere, and each new one.
   *
   * @returns a function that ends it
   */
  resetConnections(machine: Machine, host: Machine, port: number): () => void {
    const rule = ["OUTPUT", "-p", "tcp", "-d", this.addressOf(host), "--dport", String(port)];
    const action = ["-j", "REJECT", "--reject-with", "tcp-reset"];
    this.#run(machine, "iptables", "-w", "-A", ...rule, ...action);
    return () => this.#run(machine, "iptables", "-w", "-D", ...rule, ...action);
  }

  /**
   * Gives a machine namespaces for everything that a Docker daemon has to itself. Programs that are started later
   * run in them.
   *
   * @param dir a folder of its own, not below /run
   */
  isolate(machine: Machine, dir: string): Promise<void> {
    return startInnerMachine(machine, this.#namespace(machine), dir, this.#hosts);
  }

  /** The command line that runs a program on a machine: in its network, with its host name and the lab's hosts. */
  command(machine: Machine, program: readonly string[]): readonly [string, ...string[]] {
    const first = this.#firstProcess(machine);
    if (first !== null) return enterMachine(first, program);
    const script = 'hostname "$0" && mount --bind "$1" /etc/hosts && shift && exec "$@"';
    const inside = ["unshare", "--uts", "sh", "-c", script, machine, this.#hosts, ...program];
    // `ip netns exec` has a mount namespace of its own. Without it, one is needed for /etc/hosts.
    if (machine === "client" && this.#options.client === "here") {
      return ["unshare", "--mount", ...inside.slice(1)];
    }
    return ["ip", "netns", "exec", this.#namespace(machine), ...inside];
  }

  /** The ids of the processes on a machine. */
  pids(machine: Machine): readonly number[] {
    return pidsIn(this.#namespace(machine));
  }

  /** Kills all processes of the machines and removes the namespaces. Without a lab it does nothing. */
  remove(): void {
    for (const machine of machines) this.#killAll(machine);
    for (const name of [...machines, "router", "switch"] as const) {
      if (existsSync(`/run/netns/${this.#namespace(name)}`)) {
        execFileSync("ip", ["netns", "delete", this.#namespace(name)]);
      }
    }
  }

  /** A process may start others while it is killed. */
  #killAll(machine: Machine): void {
    if (machine === "client" && this.#options.client === "here") return;
    for (let pids = this.pids(machine); pids.length > 0; pids = this.pids(machine)) {
      for (const pid of pids) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has exited.
        }
      }
      if (pids.every(isZombie)) return;
    }
  }

  /** The first process of an isolated machine; null for others. It lives as long as the machine. */
  #firstProcess(machine: Machine): number | null {
    const known = this.#firstProcesses.get(machine);
    if (known !== undefined && existsSync(`/proc/${known}`)) return known;
    const found = firstProcess(this.#namespace(machine));
    if (found !== null) this.#firstProcesses.set(machine, found);
    return found;
  }

  #add(name: Machine | "router" | "switch"): void {
    execFileSync("ip", ["netns", "add", this.#namespace(name)], { stdio: ["ignore", "ignore", "pipe"] });
    this.#ip(name, "link set lo up");
  }

  #connect(name: Machine | "router", address: string): void {
    const peer = `type veth peer name wl-${name} netns ${this.#namespace("switch")}`;
    this.#ip(name, `link add ${device} ${peer}`);
    this.#ip(name, `addr add ${address}/24 dev ${device}`);
    this.#ip(name, `link set ${device} up`);
    this.#plug(name);
  }

  #plug(name: Machine | "router"): void {
    this.#ip("switch", `link set wl-${name} master wl-br0`);
    this.#ip("switch", `link set wl-${name} up`);
  }

  /** Runs `ip` in a namespace. */
  #ip(name: Machine | "router" | "switch", command: string): void {
    execFileSync("ip", ["-n", this.#namespace(name), ...command.split(" ")]);
  }

  #run(name: Machine | "router", ...program: readonly string[]): void {
    execFileSync("ip", ["netns", "exec", this.#namespace(name), ...program]);
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

/** A process that has ended, and whose parent has not noticed. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

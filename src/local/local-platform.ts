// What a mesh on this machine has besides when it runs under the platform's rules: a network, an authority, names for
// its nodes, and a report in its state folder.

import { join } from "node:path";
import type { RoutingTable } from "../domain/table/table.ts";
import type { AddressPlan } from "./addresses.ts";
import type { AgentInput } from "./agent-child.ts";
import type { PlatformSettings } from "./platform/platform-settings.ts";
import { resolveTestName, testZone } from "./platform/test-names.ts";
import { type NetworkCounts, PlatformNetwork } from "./platform-network.ts";
import type { PlatformReport } from "./platform-watch.ts";
import type { PlatformInput } from "./runtime-child.ts";
import { StateFile } from "./state-file.ts";
import { makeTestCertificate } from "./test-authority.ts";

/** What the mesh did so far under the rules. */
export type MeshPlatformReport = PlatformReport & {
  readonly network: NetworkCounts;
  readonly settings: PlatformSettings;
};

/** The file of the report in the state folder. */
const platformReportFile = "edge.json";

type LocalPlatformOptions = {
  readonly stateDir: string;
  readonly log: (line: string) => void;
};

export class LocalPlatform {
  readonly input: PlatformInput;
  readonly gatewayTls: NonNullable<AgentInput["gatewayTls"]>;
  /** The addresses that `waggle up` confirms for nodes, as its operator. */
  readonly nodeAddresses: readonly string[] = [`*.${testZone}`];
  readonly #network: PlatformNetwork;
  readonly #file: StateFile;
  #report: MeshPlatformReport | null = null;

  private constructor(
    settings: PlatformSettings,
    network: PlatformNetwork,
    gatewayTls: LocalPlatform["gatewayTls"],
    file: StateFile,
  ) {
    this.input = { settings, network: network.access };
    this.gatewayTls = gatewayTls;
    this.#network = network;
    this.#file = file;
  }

  /** @throws Error if this machine cannot have it */
  static async open(
    settings: PlatformSettings,
    { stateDir, log }: LocalPlatformOptions,
    plan: AddressPlan,
  ): Promise<LocalPlatform> {
    if (plan.kind === "shared")
      throw new Error("--edge needs an address for each node, 127.0.0.2 and so on, as on Linux");
    const { authority, gatewayTls } = makeTestCertificate(join(stateDir, "edge-certificates"));
    const network = await PlatformNetwork.open({ authority });
    return new LocalPlatform(
      settings,
      network,
      gatewayTls,
      new StateFile(join(stateDir, platformReportFile), log),
    );
  }

  get report(): MeshPlatformReport | null {
    return this.#report;
  }

  /** Takes a report of the Workers runtime. */
  take(report: PlatformReport): void {
    this.#report = { ...report, network: this.#network.counts, settings: this.input.settings };
    this.#file.write(this.#report);
  }

  async close(): Promise<void> {
    this.#file.close();
    await this.#network.close();
  }
}

/** A table whose nodes have the addresses that their names stand for, to open their published ports there. */
export function withTestAddresses(table: RoutingTable): RoutingTable {
  const nodes = table.nodes.map((node) => ({
    ...node,
    address: resolveTestName(node.address)?.address ?? node.address,
  }));
  return { ...table, nodes };
}

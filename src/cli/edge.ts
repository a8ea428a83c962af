// `waggle edge`: makes this machine a balancer of a mesh.

import { hostname } from "node:os";
import type { Command } from "commander";
import { defaultReloadTimeoutMs, runMachine } from "./agent.ts";
import type { Cli } from "./cli.ts";
import { parseDurationMs } from "./duration.ts";
import { valueFlag } from "./flags.ts";
import { holdCommand } from "./hold-sockets.ts";
import { addTlsFlags, type TlsFlags, tlsOf } from "./tls-flags.ts";
import { caFlag, trustCertificates } from "./trusted-ca.ts";
import { readListenPort } from "./values.ts";

type Flags = TlsFlags & {
  readonly join?: string;
  readonly name?: string;
  readonly listen: string;
  readonly port?: number;
  readonly ca?: string;
  readonly state: string;
  readonly drainTimeout: number;
  readonly reloadTimeout: number;
  readonly insecure?: boolean;
};

const defaultDrainTimeoutMs = 10_000;

const edgeHelp = `
Examples:
  waggle edge --join SWMTKN-1-… https://mesh.example.com
  waggle edge --port 80 https://mesh.example.com       port 80 for the default service
  waggle edge --port 80 --redirect-http --tls /etc/waggle/tls https://mesh.example.com
                                                       port 443 by host name, with the certificates of a folder

A balancer opens every published port and runs no tasks. It goes on while the registry is unreachable, and
after a restart. \`waggle node ls\` lists it; \`waggle node rm\` ends its access.

SIGTERM or Ctrl-C stops it: it refuses new connections and finishes open requests. SIGUSR2, or \`waggle reload\`,
replaces it by a process of the release that is installed then, and loses no connection. docs/self-host.md
has units and an upgrade.`;

export function registerEdge(program: Command, cli: Cli): void {
  const command = program
    .command("edge")
    .argument("<url>", "control URL of the mesh")
    .summary("run a balancer on this machine")
    .description("Run a balancer: join a mesh, and open its published ports on this machine, without tasks.")
    .option("--join <token>", "join token, needed once (else WAGGLE_JOIN_TOKEN, which `ps` does not show)")
    .option("--name <name>", "name of the balancer (default: the host name)")
    .option("--listen <address>", "address to listen on", "0.0.0.0")
    .addOption(valueFlag("--port <port>", "port for the default service (default: none)", readListenPort));
  addTlsFlags(command, true)
    .option(...caFlag)
    .option("--state <dir>", "state folder: the credential, the routing table and logs", ".waggle-edge")
    .addOption(
      valueFlag(
        "--drain-timeout <duration>",
        "longest time for open requests when it stops",
        parseDurationMs,
      ).default(defaultDrainTimeoutMs, "10s"),
    )
    .addOption(
      valueFlag(
        "--reload-timeout <duration>",
        "longest time for open requests and connections of a process that was replaced",
        parseDurationMs,
      ).default(defaultReloadTimeoutMs, "10m"),
    )
    .option("--insecure", "accept plain HTTP to a control URL that is not loopback")
    .addHelpText("after", edgeHelp)
    .action((url: string, flags: Flags) => runEdge(cli, url, flags));
}

async function runEdge(cli: Cli, url: string, flags: Flags): Promise<void> {
  const { listen, port = null, insecure = false, drainTimeout: drainMs, reloadTimeout } = flags;
  const tls = tlsOf(flags, port);
  const { heldProcess, isHeld } = await import("../local/held-process.ts");
  if (!isHeld()) {
    const { agentLockFile } = await import("../agent/state-dir.ts");
    const { state: stateDir } = flags;
    const lockFile = agentLockFile(stateDir);
    return holdCommand(cli, { stateDir, lockFile, next: "beside", drainMs: reloadTimeout, stopMs: drainMs });
  }
  const { relayedSockets } = await import("../local/kept-sockets.ts");
  const sockets = relayedSockets();
  const { hasSockets, handOver, release } = heldProcess(reloadTimeout);
  await hasSockets;
  trustCertificates(flags.ca, flags.state);
  const machine = {
    kind: "balancer" as const,
    hostname: flags.name ?? hostname(),
    address: listen === "0.0.0.0" || listen === "::" ? hostname() : listen,
    stateDir: flags.state,
    token: flags.join,
    handOver,
    ingress: {
      listen,
      defaultPort: port,
      tls,
      sockets,
      drainMs,
      reloadMs: reloadTimeout,
      insecure,
      reload: null,
    },
  };
  await runMachine(cli, url, machine).finally(release);
}

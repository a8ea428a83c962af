// `waggle control`: runs the control plane of a mesh on your own machines.

import { resolve } from "node:path";
import type { Command } from "commander";
import type { HeldProcess } from "../local/held-process.ts";
import type { InheritedSockets } from "../local/kept-sockets.ts";
import type { Cli } from "./cli.ts";
import { CliError, usageError } from "./errors.ts";
import { listFlag, readTargetFlags, valueFlag } from "./flags.ts";
import { holdCommand } from "./hold-sockets.ts";
import { defaultStateDir } from "./mesh-target.ts";
import { caFlag, trustCertificates } from "./trusted-ca.ts";
import { addVariableFlags, variablesOf } from "./up-variables.ts";
import { readListenAddress, readListenPort } from "./values.ts";

type Flags = {
  readonly port: number;
  readonly listen: string;
  readonly tls?: readonly string[];
  readonly tlsPort: number;
  readonly socket?: string;
  readonly ca?: string;
  readonly name: string;
  readonly domain: string;
  readonly nodeAddresses: string;
  readonly balancerPort: number;
};

/** Open requests of the control API are short; connections that wait are made again by their clients. */
const stopMs = 15_000;

/** Of a Swarm's managers. */
const defaultControlPort = 2377;

const controlHelp = `
Examples:
  waggle control --tls /etc/waggle/tls --state /var/lib/waggle
  waggle control --tls mesh.crt --tls mesh.key --domain example.com

It runs the registry, the control API and the dashboard, and opens no published port: \`waggle edge\` and
\`waggle agent --ingress\` do, on this machine and on others. While it is stopped they go on. Everything that it
knows is in the state folder. \`waggle reload\` replaces its process by one of the release that is installed then;
clients wait meanwhile. docs/self-host.md has units, certificates, backup and firewall rules.`;

export function registerControl(program: Command, cli: Cli): void {
  const command = program
    .command("control")
    .summary("run the control plane of a mesh on your own machines")
    .description("Run the registry, the control API and the dashboard of a mesh on machines of your own.")
    .option("--state <dir>", `state folder of the mesh (default: ${defaultStateDir})`)
    .addOption(
      valueFlag(
        "--port <port>",
        "port of the control API for this machine, at 127.0.0.1",
        readListenPort,
      ).default(8787),
    )
    .addOption(
      listFlag(
        "--tls <path>",
        "PEM file, or folder of PEM files: opens the control API for other machines (repeat)",
        (path) => [path],
      ),
    )
    .addOption(
      valueFlag("--listen <address>", "listen address for other machines", readListenAddress).default(
        "0.0.0.0",
      ),
    )
    .addOption(
      valueFlag("--tls-port <port>", "port of the control API for other machines", readListenPort).default(
        defaultControlPort,
      ),
    )
    .option("--socket <file>", "Unix socket of the control API, for this user only: docker -H unix://FILE")
    .option(...caFlag)
    .option("--name <name>", "name of the mesh", "waggle")
    .option("--domain <domain>", "services are at NAME.DOMAIN, and at the names of their labels", "")
    .option(
      "--node-addresses <list>",
      "addresses that nodes may have besides the one they connect from: 10.1.0.0/16,*.nodes.example.com",
      "",
    )
    .addOption(
      valueFlag("--balancer-port <port>", "port of the balancers, for links", readListenPort).default(80),
    )
    .addHelpText("after", controlHelp)
    .action((flags: Flags) => control(cli, flags, readTargetFlags(command).state ?? defaultStateDir));
  addVariableFlags(command);
}

async function control(cli: Cli, flags: Flags, stateDir: string): Promise<void> {
  if (flags.tlsPort === flags.port)
    throw usageError("--port and --tls-port are one port", "change one of them");
  const { heldProcess, isHeld } = await import("../local/held-process.ts");
  const { InheritedSockets } = await import("../local/kept-sockets.ts");
  if (!isHeld()) {
    const { controlHolderLockFile } = await import("../local/reload-file.ts");
    const lockFile = controlHolderLockFile(stateDir);
    return holdCommand(cli, { stateDir, lockFile, next: "after", drainMs: 0, stopMs });
  }
  // In one turn: messages that have come already are delivered once.
  const sockets = new InheritedSockets();
  const held = heldProcess(0);
  const code = await serve(flags, stateDir, { ...held, sockets }, cli).finally(held.release);
  if (code !== 0) throw new CliError(code, "");
}

async function serve(
  flags: Flags,
  stateDir: string,
  { hasSockets, handOver, sockets }: HeldProcess & { readonly sockets: InheritedSockets },
  cli: Cli,
): Promise<number> {
  trustCertificates(flags.ca, stateDir);
  const { runControl } = await import("../local/control.ts");
  const { tls: paths, listen: address, tlsPort: port, socket } = flags;
  const secured = paths === undefined ? null : { address, port, paths: paths.map((path) => resolve(path)) };
  return runControl({
    stateDir,
    controlPort: flags.port,
    edgePort: flags.balancerPort,
    plane: { secured, sockets },
    operatorListens: socket === undefined ? [] : [{ kind: "socket", path: resolve(socket) }],
    variables: {
      MESH_NAME: flags.name,
      MESH_DOMAIN: flags.domain,
      NODE_ADDRESSES: flags.nodeAddresses,
      ...variablesOf(flags, cli.env),
    },
    hasSockets,
    handOver,
    out: process.stdout,
  });
}

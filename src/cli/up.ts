// `waggle up`: runs a mesh on this machine.

import { resolve } from "node:path";
import type { Command } from "commander";
import type { OperatorListen } from "../local/operator-listener.ts";
import type { Cli } from "./cli.ts";
import { CliError, usageError } from "./errors.ts";
import { choiceFlag, readTargetFlags, valueFlag } from "./flags.ts";
import { defaultStateDir } from "./mesh-target.ts";
import { caFlag, trustCertificates } from "./trusted-ca.ts";
import { addEdgeFlags, type EdgeFlags, platformSettingsOf } from "./up-edge.ts";
import { addVariableFlags, variablesOf } from "./up-variables.ts";
import { readCountArgument, readListenAddress, readListenPort } from "./values.ts";

/** Each node is a process with its own loopback address; a higher number is a mistake. */
const maxUpNodes = 100;

type Flags = EdgeFlags & {
  readonly nodes: number;
  readonly empty?: boolean;
  readonly port: number;
  readonly edgePort: number;
  readonly runtime: "process" | "docker";
  readonly images?: string;
  readonly ca?: string;
  readonly listen: string;
  readonly split?: boolean;
  readonly socket?: string;
  readonly tlsPort: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
};

const upHelp = `
Examples:
  waggle up                          three nodes, and the service my-web on port 8080 of each
  waggle up --nodes 5 --empty        five nodes, no service
  waggle up --nodes 0                no agents: a load balancer for static servers
  waggle up --state /var/lib/mesh    keep the mesh there; the next start restores it
  waggle up --edge --rtt 150         under Cloudflare's rules, with the registry 150 ms away
  waggle up --head-timeout 60s       504 for any request without a response within a minute

The options under Requests apply to services whose labels do not say otherwise. Each is also a variable of the
environment: HEAD_TIMEOUT_MS=60000 waggle up. docs/http.md explains them.

Ctrl-C, SIGTERM or "waggle down" stops the mesh gracefully. Other commands find it through the state folder, and from
other folders by the context "local", if no context is in use.`;

export function registerUp(program: Command, cli: Cli): void {
  const command = program
    .command("up")
    .summary("run a mesh on this machine")
    .description("Run a mesh on this machine: the Workers runtime, an agent for each node, and their tasks.")
    .addOption(valueFlag("--nodes <count>", "number of nodes", readNodeCount).default(3))
    .option("--empty", "do not create the service my-web in a new mesh")
    .option("--state <dir>", `state folder of the mesh (default: ${defaultStateDir})`)
    .addOption(valueFlag("--port <port>", "port of the control API", readListenPort).default(8787))
    .addOption(
      valueFlag("--edge-port <port>", "port of the balancer for the default service", readListenPort).default(
        8000,
      ),
    )
    .addOption(
      choiceFlag("--runtime <name>", "runtime of the tasks", ["process", "docker"]).default("process"),
    )
    .option("--images <file>", "JSON file with more images for the process runtime")
    .addOption(
      valueFlag(
        "--listen <address>",
        "listen address of the control API and the balancer",
        readListenAddress,
      ).default("127.0.0.1"),
    )
    .option(...caFlag)
    .option("--socket <file>", "Unix socket of the control API, for this user only: docker -H unix://FILE")
    .option("--tls-cert <file>", "PEM certificate with its chain: opens the control API with TLS too")
    .option("--tls-key <file>", "PEM key of that certificate")
    .option("--tls-client-ca <file>", "PEM authority: a client with its certificate is an operator")
    .addOption(
      valueFlag("--tls-port <port>", "port of the control API with TLS", readListenPort).default(2376),
    )
    .option("--split", "run the registry and the data plane as two processes")
    .addHelpText("after", upHelp)
    .action((flags: Flags) => startUp(flags, cli, readTargetFlags(command).state ?? defaultStateDir));
  addVariableFlags(command);
  addEdgeFlags(command);
}

async function startUp(flags: Flags, cli: Cli, stateDir: string): Promise<void> {
  const platform = platformSettingsOf(flags);
  trustCertificates(flags.ca, stateDir);
  const local = await import("../local/up.ts");
  const code = await local.up({
    nodes: flags.nodes,
    // Docker cannot pull the image of the first service, which is built into the process runtime.
    empty: flags.empty === true || flags.runtime === "docker",
    runtime: flags.runtime,
    stateDir,
    controlPort: flags.port,
    edgePort: flags.edgePort,
    listen: flags.listen,
    split: flags.split === true,
    operatorListens: operatorListensOf(flags),
    variables: variablesOf(flags, process.env),
    ...(flags.images !== undefined && { images: flags.images }),
    ...(platform !== undefined && { platform }),
    env: cli.env,
    out: process.stdout,
  });
  if (code !== 0) throw new CliError(code, "");
}

/** @throws CliError if a flag of TLS lacks another */
function operatorListensOf({ socket, listen, ...tls }: Flags): OperatorListen[] {
  const { tlsCert: certFile, tlsKey: keyFile, tlsClientCa: clientCaFile, tlsPort: port } = tls;
  const sockets = socket === undefined ? [] : [{ kind: "socket" as const, path: resolve(socket) }];
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return sockets;
  if (certFile === undefined || keyFile === undefined) {
    throw usageError("TLS needs --tls-cert and --tls-key", "name the PEM file of each");
  }
  const files = { certFile, keyFile, ...(clientCaFile !== undefined && { clientCaFile }) };
  return [...sockets, { kind: "tls", address: listen, port, ...files }];
}

function readNodeCount(text: string): number {
  const nodes = readCountArgument(text);
  if (nodes > maxUpNodes) throw usageError(`must be between 0 and ${maxUpNodes}`);
  return nodes;
}

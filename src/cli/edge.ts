// `waggle edge`: makes this machine a balancer of a mesh.

import { hostname } from "node:os";
import type { Command } from "commander";
import { runMachine } from "./agent.ts";
import type { Cli } from "./cli.ts";
import { valueFlag } from "./flags.ts";
import { caFlag, trustCertificates } from "./trusted-ca.ts";
import { readListenPort } from "./values.ts";

type Flags = {
  readonly join?: string;
  readonly name?: string;
  readonly listen: string;
  readonly port?: number;
  readonly ca?: string;
  readonly state: string;
  readonly insecure?: boolean;
};

const edgeHelp = `
Examples:
  waggle edge --join SWMTKN-1-… https://mesh.example.com
  waggle edge --port 80 https://mesh.example.com       port 80 for the default service

A balancer opens every published port and runs no tasks. It goes on while the registry is unreachable, and
after a restart. \`waggle node ls\` lists it; \`waggle node rm\` ends its access.`;

export function registerEdge(program: Command, cli: Cli): void {
  program
    .command("edge")
    .argument("<url>", "control URL of the mesh")
    .summary("run a balancer on this machine")
    .description("Run a balancer: join a mesh, and open its published ports on this machine, without tasks.")
    .option("--join <token>", "join token, needed once (else WAGGLE_JOIN_TOKEN, which `ps` does not show)")
    .option("--name <name>", "name of the balancer (default: the host name)")
    .option("--listen <address>", "address to listen on", "0.0.0.0")
    .addOption(valueFlag("--port <port>", "port for the default service (default: none)", readListenPort))
    .option(...caFlag)
    .option("--state <dir>", "state folder: the credential, the routing table and logs", ".waggle-edge")
    .option("--insecure", "accept plain HTTP to a control URL that is not loopback")
    .addHelpText("after", edgeHelp)
    .action((url: string, flags: Flags) => runEdge(cli, url, flags));
}

async function runEdge(cli: Cli, url: string, flags: Flags): Promise<void> {
  const { listen, port = null, insecure = false } = flags;
  trustCertificates(flags.ca, flags.state);
  await runMachine(cli, url, {
    kind: "balancer",
    hostname: flags.name ?? hostname(),
    address: listen === "0.0.0.0" || listen === "::" ? hostname() : listen,
    stateDir: flags.state,
    token: flags.join,
    ingress: { listen, defaultPort: port, insecure },
  });
}

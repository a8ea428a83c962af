// `waggle agent`: makes this machine a node of a mesh.

import { hostname } from "node:os";
import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { parseHost } from "./context.ts";
import { parseDurationMs } from "./duration.ts";
import { CliError } from "./errors.ts";
import { choiceFlag, valueFlag } from "./flags.ts";
import { readListenPort } from "./values.ts";

type Flags = {
  readonly join?: string;
  readonly name?: string;
  readonly address?: string;
  readonly gatewayPort?: number;
  readonly state: string;
  readonly images?: string;
  readonly runtime: "process" | "docker";
  readonly drainTimeout?: number;
  readonly keepTasks?: boolean;
};

const agentHelp = `
Examples:
  waggle agent --join SWMTKN-1-… https://mesh.example.com --address node1.example.com
  waggle agent https://mesh.example.com            a joined node needs its state folder only
  WAGGLE_JOIN_TOKEN=$(waggle join-token -q) waggle agent https://mesh.example.com

On SIGTERM the node leaves gracefully: its tasks are replaced on other nodes, finish their open
requests, and stop. On SIGINT (Ctrl-C) it stops at once.`;

export function registerAgent(program: Command, cli: Cli): void {
  program
    .command("agent")
    .argument("<url>", "control URL of the mesh")
    .summary("join a mesh as a node")
    .description("Run the agent: join a mesh as a node, run the tasks it assigns, and report their state.")
    .option("--join <token>", "join token, needed once (else WAGGLE_JOIN_TOKEN, which `ps` does not show)")
    .option("--name <name>", "node name (default: the host name)")
    .option(
      "--address <host>",
      "address at which the mesh reaches this node: a DNS name, or an IP address in a local mesh",
    )
    .addOption(
      valueFlag(
        "--gateway-port <port>",
        "TCP port through which the mesh reaches this node's tasks; 0 for any free one (default: 7946)",
        readListenPort,
      ),
    )
    .option("--state <dir>", "state folder: the node's credential, tasks and logs", ".waggle-agent")
    .option("--images <file>", "JSON file with more images for the process runtime")
    .addOption(
      choiceFlag("--runtime <name>", "runtime of the tasks", ["process", "docker"]).default("process"),
    )
    .addOption(
      valueFlag(
        "--drain-timeout <duration>",
        "maximum wait for replacement tasks when leaving (default: 10s)",
        parseDurationMs,
      ),
    )
    .option("--keep-tasks", "leave tasks running when the agent stops; the next agent takes them over")
    .addHelpText("after", agentHelp)
    .action((url: string, flags: Flags) => runAgentVerb(cli, url, flags));
}

async function runAgentVerb(cli: Cli, url: string, flags: Flags): Promise<void> {
  const control = parseHost(url);
  const { runAgent } = await import("../agent/agent.ts");
  const { defaultAgentOptions } = await import("../agent/options.ts");
  const token = flags.join ?? cli.env.WAGGLE_JOIN_TOKEN;
  const code = await runAgent({
    ...defaultAgentOptions,
    url: control,
    ...(token && { token }),
    stateDir: flags.state,
    hostname: flags.name ?? hostname(),
    address: flags.address ?? defaultAddress(control),
    ...(flags.gatewayPort !== undefined && { gatewayPort: flags.gatewayPort }),
    runtime: flags.runtime,
    ...(flags.images !== undefined && { images: flags.images }),
    ...(flags.drainTimeout !== undefined && { drainTimeoutMs: flags.drainTimeout }),
    ...(flags.keepTasks && { onStop: "keep" }),
    log: (line) => cli.err.write(`${line}\n`),
  });
  if (code !== 0) throw new CliError(code, "");
}

/** Loopback for a mesh on this machine, else the host name. */
function defaultAddress(control: string): string {
  const { hostname: host } = new URL(control);
  return host === "localhost" || host === "[::1]" || host.startsWith("127.") ? "127.0.0.1" : hostname();
}

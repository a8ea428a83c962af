// `waggle agent`: makes this machine a node of a mesh.

import { hostname } from "node:os";
import type { Command } from "commander";
import type { NodeIngress } from "../agent/ingress.ts";
import type { AgentOptions } from "../agent/options.ts";
import type { NodeIngressOptions } from "../local/node-ingress.ts";
import type { Cli } from "./cli.ts";
import { parseDurationMs } from "./duration.ts";
import { CliError, usageError } from "./errors.ts";
import { choiceFlag, valueFlag } from "./flags.ts";
import { parseHost } from "./mesh-target.ts";
import { directNotice } from "./proxy.ts";
import { timedLog } from "./timed-log.ts";
import { addTlsFlags, type TlsFlags, tlsOf } from "./tls-flags.ts";
import { caFlag, trustCertificates } from "./trusted-ca.ts";
import { variablesOf } from "./up-variables.ts";
import { readListenPort } from "./values.ts";

type Flags = {
  readonly join?: string;
  readonly name?: string;
  readonly address?: string;
  readonly gatewayPort?: number;
  readonly gatewayCert?: string;
  readonly gatewayKey?: string;
  readonly ca?: string;
  readonly state: string;
  readonly images?: string;
  readonly runtime: "process" | "docker" | "auto";
  readonly discovery: boolean;
  readonly drainTimeout?: number;
  readonly keepTasks?: boolean;
  readonly ingress?: boolean;
  readonly reloadTimeout?: number;
  readonly insecure?: boolean;
} & TlsFlags;

/** As long as HAProxy's users give a reload (`hard-stop-after`): downloads end, forgotten WebSockets do not stay. */
export const defaultReloadTimeoutMs = 600_000;

const agentHelp = `
Examples:
  waggle agent --join SWMTKN-1-… https://mesh.example.com --address node1.example.com
  waggle agent https://mesh.example.com            a joined node needs its state folder only
  waggle agent --ingress https://mesh.example.com  open the published ports on this machine too
  WAGGLE_JOIN_TOKEN=$(waggle join-token -q) waggle agent https://mesh.example.com

On SIGTERM the node leaves gracefully: its tasks are replaced on other nodes, finish their open
requests, and stop. On SIGINT (Ctrl-C) it stops at once. With --ingress, SIGUSR2 or \`waggle reload\` replaces
the process that serves the published ports by one of the release that is installed then, and loses no
connection; the agent and its tasks go on.`;

export function registerAgent(program: Command, cli: Cli): void {
  defineAgent(program.command("agent"), cli);
}

/** Makes a command the agent. */
export function defineAgent(command: Command, cli: Cli): Command {
  command
    .argument("<url>", "control URL of the mesh")
    .summary("join a mesh as a node")
    .description("Run the agent: join a mesh as a node, run the tasks it assigns, and report their state.")
    .option("--join <token>", "join token, needed once (else WAGGLE_JOIN_TOKEN, which `ps` does not show)");
  return addAgentFlags(command)
    .addHelpText("after", agentHelp)
    .action((url: string, flags: Flags) => runAgentVerb(cli, url, flags));
}

/** `waggle swarm join --token TOKEN ADDRESS`: the line of `docker swarm join-token`, for Waggle's agent. */
export function registerSwarm(program: Command, cli: Cli): void {
  const swarm = program
    .command("swarm")
    .summary("join a mesh with the line of docker swarm join-token")
    .description("Join a mesh with the line that `docker swarm join-token` prints.");
  const command = swarm
    .command("join")
    .argument("<address>", "address of the mesh, as HOST:PORT or a URL")
    .summary("run the agent, as `waggle agent --join`")
    .description("Run the agent, as `waggle agent --join TOKEN URL` does.")
    .requiredOption("--token <token>", "join token");
  addAgentFlags(command)
    .addHelpText("after", "\nExamples:\n  waggle swarm join --token SWMTKN-1-… 192.0.2.1:8787")
    .action((address: string, { token, ...flags }: Flags & { token: string }) =>
      runAgentVerb(cli, controlUrlOf(address), { ...flags, join: token }),
    );
}

/**
 * The control URL of an address that `docker swarm join-token` prints, which has no scheme: the port that the
 * operator used is that of TLS, 443, or another.
 */
function controlUrlOf(address: string): string {
  if (address.includes("://")) return address;
  const url = URL.parse(`https://${address}`);
  return url !== null && url.port === "" ? url.origin : `http://${address}`;
}

function addAgentFlags(command: Command): Command {
  return addTlsFlags(addNodeFlags(command), false);
}

function addNodeFlags(command: Command): Command {
  return command
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
    .option("--gateway-cert <file>", "PEM certificate with its chain, for a gateway that speaks TLS")
    .option("--gateway-key <file>", "PEM key of that certificate")
    .option(...caFlag)
    .option("--state <dir>", "state folder: the node's credential, tasks and logs", ".waggle-agent")
    .option("--images <file>", "JSON file with more images for the process runtime")
    .addOption(
      choiceFlag("--runtime <name>", "runtime of the tasks: docker if a daemon answers, else process", [
        "auto",
        "docker",
        "process",
      ]).default("auto"),
    )
    .option("--no-discovery", "with Docker: do not report containers and Swarms that run without the mesh")
    .addOption(
      valueFlag(
        "--drain-timeout <duration>",
        "maximum wait for replacement tasks when leaving (default: 10s)",
        parseDurationMs,
      ),
    )
    .option("--keep-tasks", "leave tasks running when the agent stops; the next agent takes them over")
    .option("--ingress", "open the published ports of the mesh on this node's own address")
    .addOption(
      valueFlag(
        "--reload-timeout <duration>",
        "with --ingress: longest time for open requests and connections after a reload (default: 10m)",
        parseDurationMs,
      ),
    )
    .option("--insecure", "with --ingress: accept plain HTTP to a control URL that is not loopback");
}

/** How long open requests of published ports may take when an agent stops; its tasks have ended before. */
const ingressDrainMs = 5_000;

async function runAgentVerb(cli: Cli, url: string, flags: Flags): Promise<void> {
  const { ingress, insecure = false } = flags;
  const tls = tlsOf(flags, null);
  if (tls !== null && !ingress) throw usageError("--tls is for published ports", "open them with --ingress");
  if (flags.reloadTimeout !== undefined && !ingress)
    throw usageError("--reload-timeout is for published ports", "open them with --ingress");
  trustCertificates(flags.ca, flags.state);
  await runMachine(cli, url, {
    stateDir: flags.state,
    token: flags.join,
    hostname: flags.name ?? hostname(),
    address: flags.address ?? defaultAddress(parseHost(url)),
    ...(ingress && {
      ingress: {
        listen: null,
        defaultPort: null,
        tls,
        sockets: null,
        drainMs: ingressDrainMs,
        reloadMs: flags.reloadTimeout ?? defaultReloadTimeoutMs,
        insecure,
        reload: { stateDir: flags.state, log: timedLog(cli) },
      },
    }),
    ...(flags.gatewayPort !== undefined && { gatewayPort: flags.gatewayPort }),
    ...gatewayTlsOf(flags),
    runtime: flags.runtime,
    discovers: flags.discovery,
    ...(flags.images !== undefined && { images: flags.images }),
    ...(flags.drainTimeout !== undefined && { drainTimeoutMs: flags.drainTimeout }),
    ...(flags.keepTasks && { onStop: "keep" }),
  });
}

/** What a verb sets of a machine's agent. */
type MachineOptions = Pick<AgentOptions, "stateDir" | "hostname" | "address"> &
  Partial<Omit<AgentOptions, "ingress" | "token">> & {
    readonly token: string | undefined;
    /** The ingress to run; absent: none. */
    readonly ingress?: Omit<NodeIngressOptions, "variables">;
  };

/** Runs the agent of a machine until it is stopped. @throws CliError with the exit code after an error */
export async function runMachine(cli: Cli, url: string, machine: MachineOptions): Promise<void> {
  const control = parseHost(url);
  const { runAgent } = await import("../agent/agent.ts");
  const { defaultAgentOptions } = await import("../agent/options.ts");
  const notice = directNotice(control, cli.env);
  if (notice !== null) cli.err.write(`${notice}\n`);
  const { token = cli.env.WAGGLE_JOIN_TOKEN, ingress, ...options } = machine;
  const code = await runAgent({
    ...defaultAgentOptions,
    ...options,
    url: control,
    ...(token && { token }),
    ...(ingress && { ingress: await loadIngress(control, ingress, cli.env) }),
    log: (line) => cli.err.write(`${line}\n`),
  });
  if (code !== 0) throw new CliError(code, "");
}

/** @throws CliError if one of the two files is missing on the command line */
function gatewayTlsOf({ gatewayCert, gatewayKey }: Flags): Pick<AgentOptions, "gatewayTls"> {
  if (gatewayCert === undefined && gatewayKey === undefined) return {};
  if (gatewayCert === undefined || gatewayKey === undefined) {
    throw usageError("--gateway-cert and --gateway-key go together", "name the PEM file of each");
  }
  return { gatewayTls: { certFile: gatewayCert, keyFile: gatewayKey } };
}

/** Loads the ingress on demand, because most agents have none. */
async function loadIngress(
  control: string,
  options: Omit<NodeIngressOptions, "variables">,
  env: Cli["env"],
): Promise<NodeIngress> {
  const { nodeIngress } = await import("../local/node-ingress.ts");
  return nodeIngress(control, { ...options, variables: variablesOf({}, env) });
}

/** Loopback for a mesh on this machine, else the host name. */
function defaultAddress(control: string): string {
  const { hostname: host } = new URL(control);
  return host === "localhost" || host === "[::1]" || host.startsWith("127.") ? "127.0.0.1" : hostname();
}

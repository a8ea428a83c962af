// The text that `waggle up` prints after the start: addresses, token and commands to try.

import { resolve } from "node:path";
import { localControlHost } from "../domain/model/control-host.ts";
import { isLoopback } from "../domain/model/dialed-host.ts";
import { hostPort } from "../domain/model/server.ts";
import { type AddressPlan, nodeAddress } from "./addresses.ts";
import type { MeshOrigin } from "./mesh-origin.ts";
import type { DesiredListener } from "./published-ports.ts";

type OpenListener = DesiredListener & { readonly openPort: number | null };

type NextSteps = {
  readonly control: string;
  readonly token: string;
  /** The waggle command for this mesh: `bin/waggle --state DIR`, without the flag for the default folder. */
  readonly command: string;
  /** Adds a node to this mesh. */
  readonly joinCommand: string;
  readonly listeners: readonly OpenListener[];
  /** A one-time sign-in link of the dashboard. */
  readonly dashboard: string;
};

/** The lines after the first start. Ports that are not open are left out: their error has been printed. */
export function nextSteps({
  control,
  token,
  command,
  joinCommand,
  listeners,
  dashboard,
}: NextSteps): readonly string[] {
  const open = listeners.filter(({ openPort }) => openPort !== null);
  const nodes = open.filter(({ identity }) => identity.role === "ingress");
  const balancer = open.filter(({ identity }) => identity.role === "edge");
  const { host, hostname } = new URL(control);
  return [
    ...section(
      "Every node responds",
      nodes.map((listener) => `curl ${listenerUrl(listener)}   # ${listener.owner}`),
    ),
    ...section("The balancer", [
      ...balancer.map((listener) => `curl ${listenerUrl(listener)}   # ${listenerPurpose(listener)}`),
      ...balancer
        .slice(0, 1)
        .map(
          (listener) =>
            `${listenerUrl(listener)}${statsUri}   # HAProxy's stats page: any user, the token as password`,
        ),
    ]),
    ...section("The dashboard", [
      dashboard + hostHint(dashboard, hostname === "[::1]" ? hostname : "127.0.0.1"),
      `${command} dashboard   # prints another link; each works once, within 15 minutes`,
    ]),
    ...section("The Docker CLI", [
      `export DOCKER_HOST=tcp://${host}`,
      `export DOCKER_CUSTOM_HEADERS="Authorization=Bearer ${token}"`,
      "docker service ls",
    ]),
    ...section("The waggle command", [`${command} status`, `${command} events -f`]),
    ...section("Another node on this machine, in a second terminal", [joinCommand]),
    `Control API: ${control}   token: ${token}`,
    "Ctrl-C stops the mesh; the next start restores its services.",
  ];
}

/** The lines after a later start, without commands to try. */
export function restartSummary(
  { control, token, command, joinCommand, listeners, dashboard }: NextSteps,
  origin: Exclude<MeshOrigin, { kind: "new" }>,
): readonly string[] {
  const ports = [...new Set(listeners.flatMap(({ identity }) => identity.published ?? []))].sort(
    (a, b) => a - b,
  );
  const published = ports.length === 0 ? "nothing is published" : `published: ${ports.join(", ")}`;
  const state =
    origin.kind === "restored"
      ? [`The mesh is restored, ${published}; details: ${command} status`]
      : [...lossReport(origin), `This mesh: ${published}; details: ${command} status`];
  return [
    ...state,
    `Dashboard: ${dashboard}`,
    `Control API: ${control}   token: ${token}`,
    `Another node: ${joinCommand}`,
    "Ctrl-C stops the mesh; the next start restores its services.",
  ];
}

type JoinCommand = {
  /** The waggle command without flags: `bin/waggle`. */
  readonly program: string;
  readonly control: string;
  readonly joinToken: string;
  readonly plan: AddressPlan;
  /** Number of nodes that `waggle up` runs. */
  readonly nodes: number;
  readonly stateDir: string;
  /** The listen address of the control API. */
  readonly listen: string;
  readonly runtime: "process" | "docker";
  readonly images?: string;
};

/** The command line that runs one more node on this machine, as those that `waggle up` runs. */
export function joinCommand(mesh: JoinCommand): string {
  const { program, control, joinToken, plan, nodes, stateDir, listen, runtime, images } = mesh;
  const ordinal = nodes + 1;
  return [
    program,
    ...["agent", "--join", joinToken, control],
    ...["--name", `node${ordinal}`],
    // Elsewhere the registry confirms no loopback address of an agent that it does not know.
    ...(isLoopback(listen) ? ["--address", nodeAddress(plan, ordinal)] : []),
    // The default port may be that of another mesh's node.
    ...["--gateway-port", "0"],
    // The first node reports what runs in the daemon without the mesh.
    ...["--runtime", runtime, ...(runtime === "docker" ? ["--no-discovery"] : [])],
    ...(images === undefined ? [] : ["--images", shellWord(resolve(images))]),
    ...["--state", shellWord(`${stateDir}-node${ordinal}`)],
  ].join(" ");
}

/** A word of a command line for a shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Not every browser resolves names under `localhost`. */
function hostHint(dashboard: string, address: string): string {
  return dashboard.includes(`//${localControlHost}:`)
    ? `   # if your browser does not find it: ${address} in place of ${localControlHost}`
    : "";
}

/** What was lost with the registry's database, as far as the rest of the state folder shows it. */
function lossReport({
  database,
  left: { nodes, services },
}: Extract<MeshOrigin, { kind: "lost" }>): readonly string[] {
  const known = [
    `services${services.length === 0 ? "" : ` (tasks of ${services.join(", ")} ran here)`}`,
    `nodes${nodes.length === 0 ? "" : ` (${nodes.join(", ")})`}`,
    "static servers, events and counters",
  ];
  return [
    `The mesh is NOT restored: the registry's database in ${database} was removed, or is of another mesh.`,
    `Lost: ${known.join(", ")}. Nodes join again as new ones, and tasks that this database does not know are stopped.`,
    `To get the mesh back: stop this one, restore ${database} from a backup, and start again.`,
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`), ""];
}

/** The default of `STATS_URI`. */
const statsUri = "/haproxy?stats";

function listenerUrl({ address, openPort }: OpenListener): string {
  return `http://${hostPort(address, openPort ?? 0)}`;
}

function listenerPurpose({ identity }: OpenListener): string {
  return identity.published === null
    ? "the default service"
    : `published port ${identity.published}, balanced over the nodes that are up`;
}

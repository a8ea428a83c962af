// `waggle connect`: a TCP service at a port of this machine.

import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Command } from "commander";
import type { RoutingTable, TableService } from "../domain/table/table.ts";
import { isTcpService } from "../domain/table/tcp-options.ts";
import { joinStreams } from "../net/join-streams.ts";
import type { Cli } from "./cli.ts";
import { CliError, exitCodes, refused, usageError } from "./errors.ts";
import { connect, type MeshFlags, targetFlags, valueFlag } from "./flags.ts";

/** Where a published port may be open. */
type Candidate = { readonly host: string; readonly port: number };

/** Opens a connection to the service; rejects with the reason. */
type Dialer = () => Promise<Duplex>;

type ListenAddress = { readonly host: string; readonly port: number };

type Flags = MeshFlags & { readonly listen: ListenAddress };

/** A listener that accepts no connection in this time is not there, milliseconds. */
const candidateTimeoutMs = 3_000;

export function registerConnect(program: Command, cli: Cli): void {
  const command = program
    .command("connect")
    .summary("open a port on this machine for a TCP service")
    .description(
      "Open a port on this machine whose connections go to a TCP service (label waggle.mode=tcp), through a node or the balancer of the mesh that this machine can reach, else through the control API. Ctrl-C ends it.",
    )
    .argument("<service>", "name of the service, with its published port if it has several: redis:6379")
    .addOption(
      valueFlag("--listen <address:port>", "where to listen; port 0 for any free one", readListen).default(
        { host: "127.0.0.1", port: 0 },
        "127.0.0.1:0",
      ),
    );
  targetFlags(command)
    .addHelpText(
      "after",
      "\nExamples:\n  waggle connect redis\n  waggle connect postgres:5432 --listen 127.0.0.1:5432",
    )
    .action((service: string, flags: Flags) => run(cli, command, service, flags));
}

async function run(cli: Cli, command: Command, text: string, { listen }: Flags): Promise<void> {
  const mesh = await connect(command, cli);
  const { readMeshTable } = await import("./read-mesh-table.ts");
  const { table } = await readMeshTable(mesh);
  const { service, port } = findPort(table, text);
  const candidates = candidatesFor(table, service, port, new URL(mesh.target.url).hostname);
  const reached = await firstReached(candidates);
  const { meshDialer } = await import("./mesh-dialer.ts");
  const viaMesh = meshDialer(mesh.target, service.name, port);
  // Fails here if the mesh refuses it, and not with the first client.
  if (reached === null) await tryMesh(viaMesh, candidates);
  const dialer = reached === null ? viaMesh : () => dialFirst(candidates);
  const stop = cli.onInterrupt();
  const server = await openPort(listen, dialer, (reason) => cli.err.write(`${reason}\n`));
  const { address, port: opened } = server.address() as AddressInfo;
  const way = reached === null ? mesh.target.url : `${reached.host}:${reached.port}`;
  cli.out.write(`${service.name} is at ${address}:${opened}, through ${way}; Ctrl-C ends this\n`);
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener("abort", () => resolve(), { once: true });
  });
  server.close();
  throw new CliError(exitCodes.interrupted, "");
}

/** The service and its published port. */
function findPort(
  table: RoutingTable,
  text: string,
): { readonly service: TableService; readonly port: number } {
  const colon = text.lastIndexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const asked = colon < 0 ? null : readPort(text.slice(colon + 1), text);
  const service = table.services.find((one) => one.name === name || one.id === name);
  if (service === undefined) throw refused(`this mesh has no service ${name}`, "waggle service ls");
  const published = service.ports.map((port) => port.published);
  const known = published.length === 0 ? "publishes no port" : `publishes ${published.join(", ")}`;
  if (!isTcpService(service)) {
    throw refused(`${name} gets HTTP requests`, "set --label-add waggle.mode=tcp if it does not speak HTTP");
  }
  const port = asked ?? (published.length === 1 ? published[0] : undefined);
  if (port === undefined) throw refused(`${name} ${known}`, `write one of them: ${name}:PORT`);
  if (!published.includes(port)) throw refused(`${name} does not publish port ${port}`, `it ${known}`);
  return { service, port };
}

/** The balancer, at the address of the control API, and the nodes that are up; in host mode those with a task. */
function candidatesFor(
  { nodes }: RoutingTable,
  { ports, tasks }: TableService,
  port: number,
  control: string,
): readonly [Candidate, ...Candidate[]] {
  const isHostMode = ports.some(({ published, mode }) => published === port && mode === "host");
  const up = nodes.filter(({ id, up }) => up && (!isHostMode || tasks.some(({ nodeId }) => nodeId === id)));
  const host = control.replace(/^\[|\]$/g, "");
  return [{ host, port }, ...up.map(({ address }) => ({ host: address, port }))];
}

/** The first candidate that accepts a connection; null if none does, as on Cloudflare. */
async function firstReached(candidates: readonly Candidate[]): Promise<Candidate | null> {
  for (const candidate of candidates) {
    const socket = await dialOne(candidate);
    if (socket === null) continue;
    socket.destroy();
    return candidate;
  }
  return null;
}

/** A connection to a candidate; null if it accepts none. */
function dialOne({ host, port }: Candidate): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = dial({ host, port, allowHalfOpen: true, noDelay: true });
    const fail = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(null);
    };
    const timer = setTimeout(fail, candidateTimeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

function openPort(
  listen: ListenAddress,
  dialer: Dialer,
  onRefusal: (reason: string) => void,
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on("error", () => undefined);
    void forward(client, dialer, onRefusal);
  });
  return new Promise((resolve, reject) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === "EADDRINUSE" ? "another process listens there" : message;
      reject(
        refused(`cannot open ${listen.host}:${listen.port}: ${why}`, "choose another one with --listen"),
      );
    });
    server.listen(listen, () => resolve(server));
  });
}

/** @throws CliError with all ways that were tried */
async function tryMesh(viaMesh: Dialer, candidates: readonly Candidate[]): Promise<void> {
  try {
    (await viaMesh()).destroy();
  } catch (error) {
    const tried = [...new Set(candidates.map(({ host, port }) => `${host}:${port}`))].join(", ");
    throw refused(
      `no port of the mesh is open to this machine: tried ${tried}; through the control API: ${(error as Error).message}`,
      "waggle status",
    );
  }
}

async function dialFirst(candidates: readonly Candidate[]): Promise<Duplex> {
  for (const candidate of candidates) {
    const target = await dialOne(candidate);
    if (target !== null) return target;
  }
  throw new Error("no port of the mesh accepts a connection");
}

async function forward(client: Socket, dialer: Dialer, onRefusal: (reason: string) => void): Promise<void> {
  try {
    joinStreams(client, await dialer());
  } catch (error) {
    onRefusal((error as Error).message);
    client.resetAndDestroy();
  }
}

function readListen(text: string): ListenAddress {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[^:]+):(\d{1,5})$/i.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) throw usageError("write it as 127.0.0.1:5432");
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

function readPort(text: string, whole: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw usageError(`cannot read "${whole}"`, "write it as SERVICE or SERVICE:PORT");
}

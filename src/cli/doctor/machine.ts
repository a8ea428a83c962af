// The checks of this machine: what a mesh or an agent needs here.

import { execFile } from "node:child_process";
import { accessSync, constants, statfsSync, statSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { availableParallelism, freemem, totalmem } from "node:os";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { descriptorLimit } from "../../net/descriptor-limit.ts";
import { layout, workerdModule } from "../../package/program-files.ts";
import { localContext } from "../context/contexts.ts";
import { parseJson } from "../json.ts";
import { defaultStateDir, findTarget, type TargetFlags } from "../mesh-target.ts";
import { type Finding, findingsOf } from "./finding.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const { ok, warn, fail, skip } = findingsOf("machine");

/** As bin/waggle requires it: sources need a Node that strips types, and the package does not. */
const minNode = layout === "sources" ? ([22, 18] as const) : ([20, 0] as const);
/** Node, three agents and workerd take about this much. */
const minMemoryBytes = 512 * 2 ** 20;
const minDiskBytes = 256 * 2 ** 20;
/** Each listener, connection and child takes descriptors; systemd's default is 1,024. */
const minDescriptors = 4_096;
/** The Engine API of Docker 20.10, the oldest that the Docker runtime is tested with. */
const minDockerApi = 1.41;
const dockerTimeoutMs = 5_000;

/** The ports of `waggle up` and `waggle agent`, unless flags say otherwise. */
const defaultPorts = [
  { port: 8787, purpose: "the control API of waggle up", flag: "--port N" },
  { port: 8000, purpose: "the balancer of waggle up", flag: "--edge-port N" },
  { port: 7946, purpose: "the gateway of waggle agent", flag: "--gateway-port N" },
] as const;

/** @param stateDir absent: the default one */
export async function checkMachine(
  env: Environment,
  stateDir: string | undefined,
): Promise<readonly Finding[]> {
  const folder = stateDir ?? defaultStateDir;
  return [
    nodeFinding(process.versions.node),
    await workerdFinding(),
    await dockerFinding(env),
    ...(await portFindings(env, folder)),
    await loopbackFinding(),
    descriptorFinding(descriptorLimit()),
    memoryFinding(Math.min(totalmem(), process.constrainedMemory() || totalmem()), freemem()),
    clockFinding(Date.now()),
    ...stateFindings(folder),
  ];
}

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNew = major > minNode[0] || (major === minNode[0] && minor >= minNode[1]);
  const detail = `${version}, ${availableParallelism()} CPUs`;
  return isNew
    ? ok("Node", detail)
    : fail("Node", detail, `Use Node ${minNode.join(".")} or newer: npm ci installs one.`);
}

async function workerdFinding(): Promise<Finding> {
  const how =
    layout === "sources"
      ? "Run npm ci in the folder of waggle"
      : "Install waggle again, without --omit=optional";
  const reinstall = `${how}; waggle up, and agents with --ingress, need it.`;
  let program: string;
  try {
    program = (createRequire(import.meta.url)(workerdModule()) as { default: string }).default;
  } catch {
    return fail("workerd", "not installed", reinstall);
  }
  const { failure, out } = await run(program, ["--version"]);
  return failure === null
    ? ok("workerd", out.trim())
    : fail("workerd", `does not run: ${failure}`, reinstall);
}

/** The Docker CLI of the same shell may be one of a mesh. */
const meshAsDockerHost =
  "If it is the mesh, for Docker's CLI: start agents and waggle up where DOCKER_HOST is not set.";

async function dockerFinding(env: Environment): Promise<Finding> {
  const host = env.DOCKER_HOST || "unix:///var/run/docker.sock";
  const next = "Start Docker for tasks that are containers; the process runtime needs none.";
  const response = await dockerVersion(host).catch((error: Error) => error);
  if (response instanceof Error) return warn("Docker", `not reachable at ${host}: ${response.message}`, next);
  const found = parseJson(response) as { Version?: unknown; ApiVersion?: unknown } | null;
  if (typeof found?.ApiVersion !== "string") {
    return env.DOCKER_HOST
      ? warn("Docker", `DOCKER_HOST is ${host}, which is no Docker daemon`, meshAsDockerHost)
      : warn("Docker", `no Docker daemon at ${host}`, next);
  }
  const detail = `${found.Version} (API ${found.ApiVersion}) at ${host}`;
  return Number(found.ApiVersion) >= minDockerApi
    ? ok("Docker", detail)
    : warn("Docker", detail, "Update Docker: the Docker runtime needs 20.10 or newer.");
}

function dockerVersion(host: string): Promise<string> {
  const socketPath = /^unix:\/\/(.*)$/.exec(host)?.[1];
  const url = URL.parse(host.replace(/^tcp:/, "http:"));
  if (socketPath === undefined && url?.protocol !== "http:")
    return Promise.reject(new Error("only unix:// and tcp:// are checked here"));
  const place = socketPath === undefined ? { host: url?.hostname, port: url?.port || 2375 } : { socketPath };
  return new Promise((settle, reject) => {
    const outgoing = request({ ...place, path: "/version", timeout: dockerTimeoutMs }, async (response) => {
      try {
        settle(await text(response));
      } catch (error) {
        reject(error);
      }
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("no response")));
    outgoing.on("error", (error: NodeJS.ErrnoException) => reject(new Error(error.code ?? error.message)));
    outgoing.end();
  });
}

async function portFindings(
  { XDG_CONFIG_HOME, HOME }: Environment,
  folder: string,
): Promise<readonly Finding[]> {
  // The mesh of the folder, else the one that `waggle up` has registered.
  const found = (flags: TargetFlags) => findTarget(flags, { XDG_CONFIG_HOME, HOME }).catch(() => null);
  const local = (await found({ state: folder })) ?? (await found({ context: localContext }));
  const own = local === null ? "" : new URL(local.url).port;
  const isUp = own !== "" && (await bindError("127.0.0.1", Number(own))) === "EADDRINUSE";
  const findings: Finding[] = [];
  for (const { port, purpose, flag } of defaultPorts) {
    const error = await bindError("127.0.0.1", port);
    const name = `port ${port}`;
    if (error === null) findings.push(ok(name, `free, for ${purpose}`));
    else if (error === "EADDRINUSE" && isUp)
      findings.push(ok(name, `in use; the mesh of ${local?.stateDir} runs`));
    else if (error === "EADDRINUSE")
      findings.push(
        fail(
          name,
          `in use by another process, and meant for ${purpose}`,
          `Stop that process, or choose another port with ${flag}.`,
        ),
      );
    else findings.push(fail(name, `cannot be opened (${error})`, `Choose another port with ${flag}.`));
  }
  return findings;
}

/** On Linux each node has an address of its own. */
async function loopbackFinding(): Promise<Finding> {
  return (await bindError("127.0.0.2", 0)) === null
    ? ok("loopback", "each node of waggle up has an address of its own, 127.0.0.2 and so on")
    : warn("loopback", "no address 127.0.0.2: nodes of waggle up share 127.0.0.1, and differ by port");
}

export function descriptorFinding(limit: number | null): Finding {
  if (limit === null) return ok("descriptors", "no limit");
  if (limit >= minDescriptors) return ok("descriptors", `${limit}`);
  return warn(
    "descriptors",
    `${limit}, which limits open connections`,
    `Raise it: ulimit -n 65536, or LimitNOFILE= of systemd.`,
  );
}

export function memoryFinding(totalBytes: number, freeBytes: number): Finding {
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const available = Math.min(totalBytes, freeBytes);
  const detail = `${mebibytes(available)} of ${mebibytes(totalBytes)} free`;
  return available >= minMemoryBytes
    ? ok("memory", detail)
    : warn(
        "memory",
        detail,
        `A mesh of three nodes takes about ${mebibytes(minMemoryBytes)}: stop other programs, or use fewer nodes.`,
      );
}

/** A clock that is years off breaks certificates and proofs. The mesh's own check compares it with the mesh. */
export function clockFinding(nowMs: number): Finding {
  const time = new Date(nowMs).toISOString();
  // The first day of the compatibility date that workerd runs with.
  return nowMs >= Date.UTC(2026, 10, 1)
    ? ok("clock", time)
    : fail("clock", `${time} is in the past`, "Set the clock, for example with NTP.");
}

function stateFindings(stateDir: string): readonly Finding[] {
  const folder = resolve(stateDir);
  const found = statSync(folder, { throwIfNoEntry: false });
  const parent = found === undefined ? resolve(folder, "..") : folder;
  try {
    accessSync(parent, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    return [
      fail("state folder", `cannot write to ${parent} (${code})`, "Choose another folder with --state DIR."),
    ];
  }
  return [permissionFinding(folder, found), diskFinding(parent)];
}

function permissionFinding(
  folder: string,
  found: { readonly mode: number; readonly uid: number } | undefined,
): Finding {
  if (found === undefined) return ok("state folder", `${folder} will be created`);
  const mode = (found.mode & 0o777).toString(8);
  if (found.uid !== process.getuid?.())
    return fail(
      "state folder",
      `${folder} belongs to user ${found.uid}`,
      "Run waggle as that user, or choose another folder with --state DIR.",
    );
  return (found.mode & 0o077) === 0
    ? ok("state folder", `${folder}, for its owner only (${mode})`)
    : fail(
        "state folder",
        `${folder} is open to other users (${mode}), and has tokens`,
        `Run chmod 700 ${folder}.`,
      );
}

function diskFinding(folder: string): Finding {
  try {
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    const detail = `${Math.round(free / 2 ** 20)} MiB free`;
    return free >= minDiskBytes
      ? ok("disk", detail)
      : fail("disk", detail, `Free some space on the disk of ${folder}.`);
  } catch (error) {
    return skip("disk", (error as Error).message);
  }
}

/** Node's error code if `address:port` cannot be bound; null if it can. */
function bindError(address: string, port: number): Promise<string | null> {
  return new Promise((settle) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => settle(null)));
  });
}

/** Runs a program. `failure` is null if it succeeds. */
export function run(
  program: string,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ readonly failure: string | null; readonly out: string }> {
  return new Promise((settle) => {
    const options = { timeout: 30_000, ...(env !== undefined && { env }) };
    execFile(program, [...args], options, (error, out, err) => {
      const lastLine = err.trim().split("\n").at(-1) ?? "";
      settle({ failure: error === null ? null : lastLine || error.message, out });
    });
  });
}

// The checks of a mesh: whether it responds and accepts the token, and what is wrong in it.

import { programVersion } from "../../package/program-files.ts";
import type { MeshStatus } from "../../protocol/status.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { CliError, exitCodes } from "../errors.ts";
import { connectTo, warnings } from "../flags.ts";
import { findTarget, type MeshTarget, type TargetFlags } from "../mesh-target.ts";
import { engineVersion, meshStatus } from "../shapes.ts";
import { tokenRole } from "../token-role.ts";
import { type Finding, findingsOf } from "./finding.ts";

const { ok, warn, fail, skip } = findingsOf("mesh");

/** Proofs of requests to gateways are valid for a few seconds around their time. */
const maxClockSkewMs = 5_000;

/** @param isRequired false: a user without any mesh is no failure */
export async function checkMesh(
  cli: Cli,
  flags: TargetFlags,
  isRequired: boolean,
): Promise<readonly Finding[]> {
  let target: MeshTarget;
  try {
    target = await findTarget(flags, cli.env, warnings(cli));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const isMissing = error.exitCode === exitCodes.unreachable;
    return [isMissing && !isRequired ? skip("mesh", error.message) : fail("mesh", error.message, error.hint)];
  }
  const mesh = connectTo(target, cli);
  try {
    return await checkReached(mesh, cli.nowMs);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const check = error.exitCode === exitCodes.token ? "token" : "reachable";
    return [fail(check, error.message, error.hint)];
  }
}

async function checkReached(mesh: MeshClient, nowMs: () => number): Promise<readonly Finding[]> {
  const { target } = mesh;
  const { Version } = await mesh.get("/version", engineVersion);
  const beforeMs = nowMs();
  const status = await mesh.getNative("/status", meshStatus);
  const skewMs = status.nowMs - (beforeMs + nowMs()) / 2;
  const problems = status.problems.map(({ what, why, next }) => fail(what, why, next));
  return [
    ok("reachable", `${target.url}, from ${target.source}`),
    await roleFinding(mesh),
    clockFinding(skewMs),
    versionFinding(programVersion(), Version, status.nodes),
    nodeFinding(status),
    taskFinding(status),
    await keyFinding(mesh, status.nodes.length > 0),
    ...(status.trafficKnown === false
      ? [warn("traffic", "the counters did not respond, so services whose requests fail are unknown")]
      : []),
    ...(problems.length === 0 ? [ok("problems", "the mesh reports no problem")] : problems),
  ];
}

async function roleFinding(mesh: MeshClient): Promise<Finding> {
  return (await tokenRole(mesh)) === "operator"
    ? ok("token", "of an operator")
    : warn("token", "of a viewer, who can change nothing", "Use the operator token to change the mesh.");
}

/** @param skewMs how far the mesh's clock is ahead of this machine's */
export function clockFinding(skewMs: number): Finding {
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
  if (Math.abs(skewMs) <= maxClockSkewMs) return ok("clock", `differs by ${seconds} s from the mesh's`);
  const direction = skewMs > 0 ? "behind" : "ahead of";
  return fail(
    "clock",
    `is ${seconds} s ${direction} the mesh's`,
    "Set the clock of this machine, for example with NTP.",
  );
}

/** Compares the releases of this command, the registry and the agents. */
export function versionFinding(
  own: string,
  registry: string,
  nodes: readonly { readonly name: string; readonly engineVersion: string }[],
): Finding {
  const different = nodes.filter(({ engineVersion }) => engineVersion !== "" && engineVersion !== registry);
  const parts = [
    ...(own === registry ? [] : [`this command is ${own}`]),
    ...different.map(({ name, engineVersion }) => `${name} is ${engineVersion}`),
  ];
  if (parts.length === 0) return ok("versions", `${registry}: command, registry and agents`);
  return warn(
    "versions",
    `the registry is ${registry}, ${parts.join(", ")}`,
    "Update what is older: the mesh first, then agents and commands (docs/upgrade.md).",
  );
}

function nodeFinding({ nodes }: MeshStatus): Finding {
  const ready = nodes.filter(({ state }) => state === "ready").length;
  if (nodes.length === 0)
    return warn(
      "nodes",
      "none: tasks have no place to run",
      "Run the command that `waggle join-token` prints on a machine.",
    );
  // Those that are down are among the problems, each with its reason.
  return ok("nodes", `${ready} of ${nodes.length} ready`);
}

function taskFinding({ services }: MeshStatus): Finding {
  const sum = (key: "running" | "desired") => services.reduce((total, service) => total + service[key], 0);
  return ok("tasks", `${sum("running")} of ${sum("desired")} run, of ${services.length} services`);
}

/** Routers sign requests to gateways; without a key each node refuses all of them. */
async function keyFinding(mesh: MeshClient, hasNodes: boolean): Promise<Finding> {
  const { readMeshTable } = await import("../read-mesh-table.ts");
  const { signingKey } = (await readMeshTable(mesh)).table;
  if (signingKey === null && !hasNodes) return ok("keys", "none yet: the mesh has no node");
  return signingKey === null
    ? fail("keys", "routers have no key for requests to gateways", "Run waggle gateway-key --rotate.")
    : ok("keys", `routers sign requests to gateways with key ${signingKey}`);
}

// Checks a mesh that has just been deployed: its certificate, the control API, the registry and the edge.

import type { Cli } from "../cli.ts";
import { connectionFailure } from "../connection-failure.ts";
import { CliError, exitCodes } from "../errors.ts";
import { parseJson } from "../json.ts";
import { interruptedDeploy } from "./wrangler.ts";

/** After this time without a response a call to the mesh is given up. */
export const meshTimeoutMs = 15_000;

/** Sends a GET to the mesh; rejects as `fetch` does, and after `meshTimeoutMs`. */
export type MeshCaller = (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>;

export type MeshCheck = {
  readonly control: string;
  /** A URL at the edge that no service has. */
  readonly edge: string;
  /** Null if unknown: then the registry is not called. */
  readonly token: string | null;
  readonly waitMs: number;
  /** Ends the wait. */
  readonly stop: AbortSignal;
  /** Receives each new reason for waiting. */
  readonly onWait: (reason: string) => void;
};

export type CheckedMesh = {
  /** The token by which nodes join; null without an operator token. */
  readonly joinToken: string | null;
};

/** Between two attempts; records, routes and certificates need seconds to minutes at first. */
const checkPauseMs = 3_000;

/** Checks until all is well or the time is up. @throws exit code 1 with the reason that remained */
export async function checkMesh(
  cli: Pick<Cli, "nowMs" | "sleep">,
  call: MeshCaller,
  check: MeshCheck,
): Promise<CheckedMesh> {
  const untilMs = cli.nowMs() + check.waitMs;
  let known = "";
  for (;;) {
    try {
      return await checkOnce(call, check);
    } catch (error) {
      if (!(error instanceof UncheckedMesh)) throw error;
      const reason = error.message;
      if (check.stop.aborted) throw interruptedDeploy();
      if (cli.nowMs() >= untilMs) throw checkFailed(check, reason);
      if (reason !== known) check.onWait(reason);
      known = reason;
      await cli.sleep(checkPauseMs, check.stop);
    }
  }
}

/** The mesh is not there yet; the message says what was read. */
class UncheckedMesh extends Error {}

async function checkOnce(call: MeshCaller, check: MeshCheck): Promise<CheckedMesh> {
  const { control, edge, token } = check;
  const ping = await read(call, `${control}/_ping`, {});
  if (ping.status !== 200 || !ping.text.startsWith("OK"))
    throw new UncheckedMesh(`${control}/_ping answered ${ping.status}, which is not the control API`);
  const joinToken = token === null ? null : await callRegistry(call, check, token);
  const refusal = await read(call, edge, { accept: "application/json" });
  const { message } = (parseJson(refusal.text) as { readonly message?: unknown } | null) ?? {};
  // 520 to 530: the platform did not reach the Worker.
  if (refusal.status >= 520 || (refusal.status >= 400 && typeof message !== "string"))
    throw new UncheckedMesh(`${edge} answered ${refusal.status}, which is not the mesh's edge`);
  return { joinToken };
}

/** The registry is created by its first caller, where its location hint says. */
async function callRegistry(call: MeshCaller, check: MeshCheck, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const { status, text } = await read(call, `${check.control}/v1.44/swarm`, headers);
  if (status === 401 || status === 403)
    throw new CliError(
      exitCodes.token,
      "the mesh does not accept the operator token that this machine knows",
      "give the right one with WAGGLE_TOKEN, or make new ones: waggle deploy --new-tokens",
    );
  const { JoinTokens } =
    (parseJson(text) as { readonly JoinTokens?: { readonly Worker?: string } } | null) ?? {};
  if (JoinTokens?.Worker === undefined)
    throw new UncheckedMesh(`the registry answered ${status}: ${text.slice(0, 200)}`);
  return JoinTokens.Worker;
}

async function read(
  call: MeshCaller,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await call(url, headers);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    throw new UncheckedMesh(`${new URL(url).host}: ${connectionFailure(error, meshTimeoutMs).reason}`);
  }
}

function checkFailed({ waitMs }: MeshCheck, reason: string): CliError {
  return new CliError(
    exitCodes.refused,
    `all is deployed, and the mesh does not answer as it should after ${Math.round(waitMs / 1_000)} s: ${reason}`,
    "new names and certificates may need some minutes: run the command again, which repeats the check; --wait 10m waits longer",
  );
}

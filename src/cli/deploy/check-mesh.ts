// Checks a mesh that has just been deployed: its certificate, the control API, the registry and the edge.

import type { Cli } from "../cli.ts";
import { CliError, exitCodes } from "../errors.ts";
import { parseJson } from "../json.ts";
import { interruptedDeploy } from "./wrangler.ts";

/** Sends a GET to the mesh; rejects as `fetch` does. */
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
      if (error instanceof CliError) throw error;
      const reason = error instanceof UncheckedMesh ? error.message : failureReason(error);
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
  const ping = await call(`${control}/_ping`, {});
  if (ping.status !== 200 || !(await ping.text()).startsWith("OK"))
    throw new UncheckedMesh(`${control}/_ping answered ${ping.status}, which is not the control API`);
  const joinToken = token === null ? null : await callRegistry(call, check, token);
  const refusal = await call(edge, { accept: "application/json" });
  const { message } = (parseJson(await refusal.text()) as { readonly message?: unknown } | null) ?? {};
  // 520 to 530: the platform did not reach the Worker.
  if (refusal.status >= 520 || (refusal.status >= 400 && typeof message !== "string"))
    throw new UncheckedMesh(`${edge} answered ${refusal.status}, which is not the mesh's edge`);
  return { joinToken };
}

/** The registry is created by its first caller, where its location hint says. */
async function callRegistry(call: MeshCaller, check: MeshCheck, token: string): Promise<string> {
  const response = await call(`${check.control}/v1.44/swarm`, { authorization: `Bearer ${token}` });
  const text = await response.text();
  if (response.status === 401 || response.status === 403)
    throw new CliError(
      exitCodes.token,
      "the mesh does not accept the operator token that this machine knows",
      "give the right one with WAGGLE_TOKEN, or make new ones: waggle deploy --new-tokens",
    );
  const { JoinTokens } =
    (parseJson(text) as { readonly JoinTokens?: { readonly Worker?: string } } | null) ?? {};
  if (JoinTokens?.Worker === undefined)
    throw new UncheckedMesh(`the registry answered ${response.status}: ${text.slice(0, 200)}`);
  return JoinTokens.Worker;
}

function checkFailed({ waitMs }: MeshCheck, reason: string): CliError {
  return new CliError(
    exitCodes.refused,
    `all is deployed, and the mesh does not answer as it should after ${Math.round(waitMs / 1_000)} s: ${reason}`,
    "new names and certificates may need some minutes: run the command again, which repeats the check; --wait 10m waits longer",
  );
}

/** Why `fetch` failed, in words for the operator. */
function failureReason(error: unknown): string {
  const { code = "", message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `its name is not resolved yet (${message})`;
  if (/^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)|EPROTO/.test(code))
    return `there is no valid certificate for its name yet (${code})`;
  return message || code;
}

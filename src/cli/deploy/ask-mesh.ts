// Asks a mesh that runs which operator token it accepts, and which release it is.

import { parseJson } from "../json.ts";
import type { MeshCaller } from "./check-mesh.ts";

/** What a mesh said to an operator token. */
export type TokenAnswer = {
  readonly token: string;
  /** False if the mesh refuses the token; null if it did not answer as a mesh does. */
  readonly isAccepted: boolean | null;
  /** The release that it runs; null if it did not say. */
  readonly release: string | null;
};

/**
 * The first of the tokens that the mesh accepts, else the first one that it has not refused, else the first.
 *
 * @returns null without tokens
 */
export async function askMesh(
  call: MeshCaller,
  control: string,
  tokens: readonly string[],
): Promise<TokenAnswer | null> {
  const answers: TokenAnswer[] = [];
  for (const token of tokens) {
    const answer = await askOnce(call, control, token);
    if (answer.isAccepted === true) return answer;
    answers.push(answer);
  }
  return answers.find(({ isAccepted }) => isAccepted === null) ?? answers[0] ?? null;
}

async function askOnce(call: MeshCaller, control: string, token: string): Promise<TokenAnswer> {
  const headers = { authorization: `Bearer ${token}` };
  let release: string | null = null;
  try {
    const response = await call(`${control}/v1.44/version`, headers);
    const { Version } = (parseJson(await response.text()) as { readonly Version?: unknown } | null) ?? {};
    if (response.status === 200 && typeof Version === "string") release = Version;
    // A viewer reads the version as well, and this only an operator. It needs no registry.
    const { status, body } = await call(`${control}/v1.44/swarm/unlockkey`, headers);
    await body?.cancel();
    if (refusing.has(status)) return { token, isAccepted: false, release };
    return { token, isAccepted: status === 200 && release !== null ? true : null, release };
  } catch {
    // A mesh that does not answer may be the reason for the deployment.
    return { token, isAccepted: null, release };
  }
}

/** A mesh answers 429 only to wrong tokens. */
const refusing: ReadonlySet<number> = new Set([401, 403, 429]);

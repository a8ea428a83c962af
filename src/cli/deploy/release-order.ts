// Which of two releases is newer, by SemVer.

import { parseJson } from "../json.ts";
import type { MeshCaller } from "./check-mesh.ts";

/** The release that runs, and the one of this package. */
export type Releases = {
  /** Null if it is unknown: the mesh does not answer, or its token is not known here. */
  readonly running: string | null;
  readonly own: string;
};

/** True if the running release is known to be newer than this package's. */
export function isDowngrade({ running, own }: Releases): boolean {
  const [theirs, ours] = [parts(running ?? ""), parts(own)];
  if (theirs === null || ours === null) return false;
  const at = theirs.numbers.findIndex((number, index) => number !== ours.numbers[index]);
  if (at >= 0) return (theirs.numbers[at] ?? 0) > (ours.numbers[at] ?? 0);
  // A pre-release comes before its release (SemVer 11); two of them are compared by their text.
  if (ours.pre === null || theirs.pre === null) return ours.pre !== null && theirs.pre === null;
  return theirs.pre.localeCompare(ours.pre, "en", { numeric: true }) > 0;
}

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
export async function askRelease(
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
    const { status } = await call(`${control}/v1.44/swarm/unlockkey`, headers);
    if (refusing.has(status)) return { token, isAccepted: false, release };
    return { token, isAccepted: status === 200 && release !== null ? true : null, release };
  } catch {
    // A mesh that does not answer may be the reason for the deployment.
    return { token, isAccepted: null, release };
  }
}

/** A mesh answers 429 only to wrong tokens. */
const refusing: ReadonlySet<number> = new Set([401, 403, 429]);

function parts(release: string): { readonly numbers: readonly number[]; readonly pre: string | null } | null {
  const [, major, minor, patch, pre = null] =
    /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]{1,64}))?$/.exec(release) ?? [];
  if (major === undefined) return null;
  return { numbers: [major, minor, patch].map(Number), pre };
}

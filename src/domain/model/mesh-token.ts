// Tokens of the mesh: the length that operators' tokens must have, the forms of agents' tokens, comparison.

import { tokenMark } from "./token-mark.ts";

/** Minimum length of the operator's and the viewer's token, bytes. A shorter one could be guessed. */
const minTokenBytes = 16;

/** Begins every new node credential, so that it is recognized without the registry. */
export const nodeCredentialPrefix = "waggle-node-";

/** The tokens that the Worker's variables set; empty if not set. */
export type MeshTokens = { readonly operatorToken: string; readonly viewerToken?: string | undefined };

/** Why requests cannot be authenticated with these tokens, with what would work; null if they can. */
export function tokenProblem({ operatorToken, viewerToken = "" }: MeshTokens): string | null {
  if (operatorToken === "") return "this mesh has no operator token yet: set the secret OPERATOR_TOKEN";
  const tokens = { OPERATOR_TOKEN: operatorToken, ...(viewerToken !== "" && { VIEWER_TOKEN: viewerToken }) };
  for (const [name, token] of Object.entries(tokens)) {
    const bytes = new TextEncoder().encode(token).length;
    if (bytes < minTokenBytes)
      return `the secret ${name} has ${bytes} bytes, and at least ${minTokenBytes} are needed: set a random one, as openssl rand -base64 24 prints`;
  }
  return null;
}

/**
 * Returns a function that is true for a token of the mesh: one of `secrets`, or a text in the form of a join
 * token or of a node credential, whichever mesh made it. It compares with all secrets, so that the duration
 * does not depend on which one it is.
 *
 * @param secrets unset ones are empty or missing; a self-hosted workerd binds them as null
 */
export function tokenRecognizer(secrets: readonly (string | null | undefined)[]): (text: string) => boolean {
  const longest = Math.max(maxAgentTokenLength, ...secrets.map((secret) => secret?.length ?? 0));
  return (text) => {
    // Spares the comparison for other credentials of the application, which are often longer.
    if (text.length > longest) return false;
    let isToken = agentToken.test(text);
    for (const secret of secrets) isToken = equalsSecret(text, secret) || isToken;
    return isToken;
  };
}

/**
 * As `tokenRecognizer`, for a machine that must not know the secrets.
 *
 * @param marks of the secrets, see `tokenMark`
 */
export function markedTokenRecognizer(marks: readonly string[]): (text: string) => boolean {
  const longest = Math.max(maxAgentTokenLength, ...marks.map((mark) => Number.parseInt(mark, 10) || 0));
  return (text) => text.length <= longest && (agentToken.test(text) || marks.includes(tokenMark(text)));
}

const maxAgentTokenLength = 100;
const agentToken = /^(?:SWMTKN-1-[0-9a-z]+-[0-9a-z]+|waggle-node-[0-9a-z]+)$/;

/** Compares with a secret, in a time that depends only on the text's length. An unset secret equals nothing. */
export function equalsSecret(text: string, secret: string | null | undefined): boolean {
  if (secret === undefined || secret === null || secret === "") return false;
  let difference = text.length ^ secret.length;
  for (let i = 0; i < text.length; i += 1)
    difference |= text.charCodeAt(i) ^ secret.charCodeAt(i % secret.length);
  return difference === 0;
}

// Tokens of the mesh: the forms of agents' tokens, and the comparison of all.

/** Begins every new node credential, so that it is recognized without the registry. */
export const nodeCredentialPrefix = "waggle-node-";

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

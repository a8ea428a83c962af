// Where the objects of a mesh are born: whoever calls one first decides it, so that every caller has to say the same.

import type { Env } from "./env.ts";

/** What to ask for an object with. A workerd of one's own binds a variable that is not set as null. */
export function locationOptions({
  REGISTRY_LOCATION,
}: Pick<Env, "REGISTRY_LOCATION">): DurableObjectNamespaceGetDurableObjectOptions {
  if (!REGISTRY_LOCATION) return {};
  return { locationHint: REGISTRY_LOCATION as DurableObjectLocationHint };
}

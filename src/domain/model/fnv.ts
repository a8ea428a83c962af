// FNV-1a, 32 bits (draft-eastlake-fnv-17): a number for a text, the same in every place. It guards nothing.

/** Over UTF-16 units, which are the bytes of what is ASCII; from -2^31 to 2^31-1. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

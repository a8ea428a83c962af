// The FNV-1a hash, 32 bits (draft-eastlake-fnv-17): the same on every runtime, and not cryptographic.

/** Hashes the UTF-16 code units, which for ASCII are its bytes. Ranges from -2^31 to 2^31-1. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}

// The mark of a token: by it a machine that must not know the token recognizes it in a request.
//
//   32.9f03a1      the token's length, and 24 bits of a hash
//
// A mark says no more than these 24 bits, whatever the hash: 2^104 of the 2^128 tokens of 16 random bytes have the
// same one. It therefore needs no slow hash, and must not have a salt that changes, by which further bits would
// come out. Of other tokens of that length, one in 16 million is taken for it.

/** @returns a text without spaces, at most 40 characters */
export function tokenMark(token: string): string {
  return `${token.length}.${(hash32(token) >>> 8).toString(16).padStart(6, "0")}`;
}

/** FNV-1a over UTF-16 units, with the final mix of MurmurHash3, so that each bit depends on each character. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

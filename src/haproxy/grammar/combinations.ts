// Words that HAProxy accepts one by one and refuses together, or not without others.

/** Why the words of a line do not go together; null if they do. */
export function combinationMisfit(words: readonly string[]): string | null {
  const [head = "", second = "", third = ""] = words;
  const has = (word: string) => words.includes(word);
  if (head === "acl" && second.toLowerCase() === "or") return "or is not a name: it separates conditions";
  if (head === "cookie") return cookieMisfit(has);
  if (head === "stick-table" || head === "table") {
    const missing = ["type", "size"].find((word) => !has(word));
    return missing === undefined ? null : `it has no ${missing}`;
  }
  const isRedirect = head === "redirect" || second === "redirect" || third === "redirect";
  if (isRedirect && !["location", "prefix", "scheme"].some(has))
    return "it has no location, prefix or scheme";
  const isReply = head === "http-error" || second === "return" || third === "return";
  const hasText = ["string", "lf-string", "file", "lf-file"].some(has);
  if (isReply && hasText && !has("content-type")) return "a text needs content-type before or after it";
  return null;
}

function cookieMisfit(has: (word: string) => boolean): string | null {
  const modes = ["rewrite", "insert", "prefix"].filter(has);
  if (modes.length > 1) return `${modes.join(" and ")} exclude each other`;
  if (has("rewrite") && has("indirect")) return "rewrite and indirect exclude each other";
  if (has("preserve") && !has("insert") && !has("indirect")) return "preserve needs insert or indirect";
  return null;
}

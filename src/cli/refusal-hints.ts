// What would work after a refusal in Docker's words, which do not say it.

const hints: readonly { readonly pattern: RegExp; readonly hint: string }[] = [
  { pattern: /^update out of sequence$/, hint: "another change came first: run the command again" },
  {
    pattern: /^node \S+ is not down and can't be removed$/,
    hint: "stop its agent there, or --force, which stops its tasks",
  },
  {
    pattern: /^constraint expected one operator from/,
    hint: "write it as node.labels.zone==a, or with != in place of ==",
  },
  { pattern: /^name must be valid as a DNS name component$/, hint: "letters, digits and -, as in my-web" },
];

/** One line; empty for a refusal that says what would work, or is not known here. */
export function refusalHint(message: string): string {
  return hints.find(({ pattern }) => pattern.test(message))?.hint ?? "";
}

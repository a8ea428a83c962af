// The routing lines of a frontend: `acl`, `use_backend` and `default_backend`.

import { type Acl, mergeAcls, readAcl } from "./acl.ts";
import { type AclCondition, readCondition } from "./condition.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { ConfigError } from "./words.ts";

export type UseBackend = {
  readonly backend: string;
  readonly condition: AclCondition;
  readonly directive: Directive;
};

export type FrontendRouting = {
  /** In their order: the first one whose condition holds applies. */
  readonly uses: readonly UseBackend[];
  readonly fallback: { readonly backend: string; readonly directive: Directive } | null;
};

/** Reads the routing lines of a frontend in their order. */
export function readRouting(directives: readonly Directive[], diagnostics: Diagnostics): FrontendRouting {
  const acls = new Map<string, Acl>();
  const uses: UseBackend[] = [];
  let fallback: FrontendRouting["fallback"] = null;
  for (const directive of directives) {
    const { line, words } = directive;
    const [head] = words;
    if (head === "acl") addAcl(acls, directive, diagnostics);
    else if (head === "default_backend") fallback = { backend: nameOf(directive), directive };
    else if (head === "use_backend") {
      const backend = nameOf(directive);
      const condition = readCondition(words.slice(2), acls, line);
      if ("why" in condition) diagnostics.add(directive, "could not", condition.why);
      else uses.push({ backend, condition, directive });
    }
  }
  return { uses, fallback };
}

function nameOf({ line, words }: Directive): string {
  const [head, name] = words;
  if (name === undefined) throw new ConfigError(line, `${head} has no backend: write "${head} NAME"`);
  if (name.includes("%["))
    throw new ConfigError(line, "a computed backend name is not supported: write the name");
  return name;
}

function addAcl(acls: Map<string, Acl>, directive: Directive, diagnostics: Diagnostics): void {
  const { line, words } = directive;
  const [, name, criterion, ...values] = words;
  if (name === undefined || criterion === undefined) {
    throw new ConfigError(
      line,
      'an acl needs a name and a criterion: write "acl NAME hdr(host) -i www.example.com"',
    );
  }
  const acl = readAcl(criterion, values);
  if ("why" in acl) diagnostics.add(directive, "could not", acl.why);
  else diagnostics.add(directive, "taken");
  acls.set(name, mergeAcls(acls.get(name), acl));
}

// The routing lines of a frontend: `acl`, `use_backend` and `default_backend`.

import { type Acl, mergeAcls, readAcl } from "./acl.ts";
import { type AclCondition, readCondition } from "./condition.ts";
import type { Directive } from "./sections.ts";

export type UseBackend = {
  readonly backend: string;
  readonly condition: AclCondition;
  readonly directive: Directive;
  /** The lines of the ACLs in its condition. */
  readonly aclLines: readonly Directive[];
};

/** A `use_backend` line whose condition the mesh does not have. */
type UnsupportedUse = {
  readonly backend: string;
  readonly why: string;
  /** The first unsupported criterion of its condition; empty for a computed backend. */
  readonly criterion: string;
  readonly directive: Directive;
};

export type FrontendRouting = {
  /** In their order: the first one whose condition holds applies. */
  readonly uses: readonly UseBackend[];
  readonly unsupported: readonly UnsupportedUse[];
  readonly fallback: { readonly backend: string; readonly directive: Directive } | null;
  readonly acls: readonly { readonly directive: Directive; readonly why: string | null }[];
};

/** Reads the routing lines of a frontend in their order. */
export function readRouting(lines: readonly Directive[]): FrontendRouting {
  const acls = new Map<string, Acl>();
  const linesOfAcl = new Map<string, readonly Directive[]>();
  const aclLines: FrontendRouting["acls"][number][] = [];
  const uses: UseBackend[] = [];
  const unsupported: UnsupportedUse[] = [];
  let fallback: FrontendRouting["fallback"] = null;
  for (const directive of lines) {
    const [head, name = "", criterion = "", ...values] = directive.words;
    if (head === "acl") {
      const acl = readAcl(criterion, values);
      acls.set(name, mergeAcls(acls.get(name), acl));
      linesOfAcl.set(name, [...(linesOfAcl.get(name) ?? []), directive]);
      aclLines.push({ directive, why: "why" in acl ? acl.why : null });
    } else if (head === "default_backend") fallback = { backend: name, directive };
    else if (head === "use_backend") {
      const read = readCondition(directive.words.slice(2), acls);
      if (name.includes("%[")) {
        const why = "a computed backend name: the mesh selects services by host name and path";
        unsupported.push({ backend: name, why, criterion: "", directive });
      } else if ("why" in read) unsupported.push({ ...read, backend: name, directive });
      else {
        const used = read.aclNames.flatMap((aclName) => linesOfAcl.get(aclName) ?? []);
        uses.push({ backend: name, condition: read.condition, directive, aclLines: used });
      }
    }
  }
  return { uses, unsupported, fallback, acls: aclLines };
}

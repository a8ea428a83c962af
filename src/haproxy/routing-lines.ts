// Which requests of a frontend go to which backend: `acl`, `use_backend` and `default_backend`.

import type { Remarks } from "./remarks.ts";
import type { Directive } from "./sections.ts";
import { ConfigError } from "./words.ts";

/** What an ACL asks of a request: one of these hosts, or something the mesh cannot look at (`why`). */
export type Acl = { readonly hosts: readonly string[] } | { readonly why: string };

export type Routing = {
  /** Backends by name, with the hosts whose requests they get. */
  readonly uses: readonly {
    readonly backend: string;
    readonly hosts: readonly string[];
    readonly directive: Directive;
  }[];
  readonly fallback: { readonly backend: string; readonly directive: Directive } | null;
};

/** Reads the routing lines of a frontend in their order. */
export function readRouting(directives: readonly Directive[], remarks: Remarks): Routing {
  const acls = new Map<string, Acl>();
  const uses: Routing["uses"][number][] = [];
  let fallback: Routing["fallback"] = null;
  for (const directive of directives) {
    const [head, name] = directive.words;
    if (head === "acl") addAcl(acls, directive, remarks);
    else if (head === "default_backend") fallback = { backend: nameOf(directive), directive };
    else if (head === "use_backend") {
      const hosts = hostsOfUse(directive, acls);
      if ("why" in hosts) remarks.add(directive, "could not", hosts.why);
      else uses.push({ backend: name ?? "", hosts: hosts.hosts, directive });
    }
  }
  return { uses, fallback };
}

function nameOf({ line, words }: Directive): string {
  const [head, name] = words;
  if (name === undefined) throw new ConfigError(line, `${head} names no backend: write "${head} NAME"`);
  if (name.includes("%["))
    throw new ConfigError(line, "a backend whose name is computed cannot be taken: name it");
  return name;
}

function addAcl(acls: Map<string, Acl>, directive: Directive, remarks: Remarks): void {
  const { line, words } = directive;
  const [, name, criterion, ...values] = words;
  if (name === undefined || criterion === undefined) {
    throw new ConfigError(
      line,
      'an acl has a name and a criterion: write "acl NAME hdr(host) -i www.example.com"',
    );
  }
  const acl = aclOf(criterion, values);
  if ("why" in acl) remarks.add(directive, "could not", acl.why);
  else remarks.add(directive, "taken");
  // ACLs of one name are alternatives.
  const before = acls.get(name);
  acls.set(
    name,
    before === undefined || "why" in before || "why" in acl
      ? (before ?? acl)
      : { hosts: [...before.hosts, ...acl.hosts] },
  );
}

const hostCriteria = /^(?:hdr|req\.hdr|req\.fhdr)\((?:host|:authority)\)$|^(?:hdr|req\.hdr)_str\(host\)$/i;

function aclOf(criterion: string, values: readonly string[]): Acl {
  const [bare = "", ...converters] = criterion.split(",");
  const known = converters.every(
    (one) => one === "lower" || one.startsWith("field(1,:") || one === "host_only" || /^\d*:?\)$/.test(one),
  );
  if (!hostCriteria.test(bare) || !known) {
    return {
      why: `${criterion} is not looked at: services are told apart by port and by host name, hdr(host)`,
    };
  }
  const texts = values.filter((value) => value !== "-i" && value !== "--");
  const flag = texts.find((value) => value.startsWith("-"));
  if (flag !== undefined && flag !== "-m") return { why: `${flag} is not read: name the hosts on the line` };
  const hosts = flag === "-m" ? texts.filter((value) => value !== "-m" && value !== "str") : texts;
  const wrong = hosts.find((host) => !/^[A-Za-z0-9_.-]+(?::\d+)?$/.test(host));
  if (hosts.length === 0 || wrong !== undefined) {
    return { why: wrong === undefined ? "it names no host" : `"${wrong}" is no host name` };
  }
  return { hosts: hosts.map((host) => host.toLowerCase().replace(/:\d+$/, "")) };
}

/** `use_backend NAME if A || B`, `if { hdr(host) www.example.com }`. */
function hostsOfUse(directive: Directive, acls: ReadonlyMap<string, Acl>): Acl {
  const { line, words } = directive;
  nameOf(directive);
  const [, , condition, ...terms] = words;
  if (condition === undefined)
    return { why: "without a condition it is what default_backend says: write it so" };
  if (condition !== "if" && condition !== "unless") {
    throw new ConfigError(line, `"${condition}" stands where if or unless is expected`);
  }
  if (condition === "unless") return { why: "a host is taken by name, and not all others" };
  const hosts: string[] = [];
  let isAlternative = true;
  for (let at = 0; at < terms.length; at += 1) {
    const term = terms[at] ?? "";
    if (term === "or" || term === "||") {
      isAlternative = true;
      continue;
    }
    if (!isAlternative)
      return { why: "conditions that must all hold cannot be taken: a host name alone decides" };
    isAlternative = false;
    if (term.startsWith("!")) return { why: "a host is taken by name, and not all others" };
    let acl = acls.get(term);
    if (term === "{") {
      const end = terms.indexOf("}", at);
      if (end < 0) throw new ConfigError(line, "the { has no } after it");
      const [criterion = "", ...values] = terms.slice(at + 1, end);
      acl = aclOf(criterion, values);
      at = end;
    }
    if (acl === undefined) throw new ConfigError(line, `there is no acl "${term}" before this line`);
    if ("why" in acl) return acl;
    hosts.push(...acl.hosts);
  }
  return { hosts };
}

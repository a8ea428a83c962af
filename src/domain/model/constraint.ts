// A placement constraint: `node.role==worker`. Grammar, keys and error texts are SwarmKit's (manager/constraint).

import { contains, parseIp, parseNetwork } from "./cidr.ts";
import { invalidAs } from "./error.ts";
import type { MeshNode } from "./node.ts";

/** One constraint, read. */
export type Constraint = {
  /** As written; `node.labels.zone`. Compared without case, but for the label's own name. */
  readonly key: string;
  /** `==`; false: `!=`. */
  readonly equal: boolean;
  readonly value: string;
};

const invalid = invalidAs("constraint/invalid");

const nodeLabels = "node.labels.";
const engineLabels = "engine.labels.";
const plainKeys = [
  "node.id",
  "node.hostname",
  "node.ip",
  "node.role",
  "node.platform.os",
  "node.platform.arch",
];
const keyPattern = /^[a-z_][a-z0-9\-_.]+$/i;
const valuePattern = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;

/**
 * Reads constraints. Unlike SwarmKit, which lets one on an unknown key through and then finds no node for it, such a
 * key is refused here.
 *
 * @throws MeshError `constraint/invalid`
 */
export function parseConstraints(texts: readonly string[]): readonly Constraint[] {
  return texts.map(parseConstraint);
}

/** True when all hold on this node. */
export function nodeMatches(constraints: readonly Constraint[], node: MeshNode): boolean {
  return constraints.every((constraint) => holds(constraint, node));
}

/** Reads one constraint. */
export function parseConstraint(text: string): Constraint {
  const operator = ["==", "!="].find((candidate) => text.includes(candidate));
  if (operator === undefined) throw invalid("constraint expected one operator from ==, !=");
  const at = text.indexOf(operator);
  const key = text.slice(0, at).trim();
  const value = text.slice(at + operator.length).trim();
  if (!keyPattern.test(key)) throw invalid(`key '${key}' is invalid`);
  if (!isKnown(key.toLowerCase())) {
    throw invalid(
      `key '${key}' is invalid: use ${plainKeys.join(", ")}, ${nodeLabels}NAME or ${engineLabels}NAME`,
    );
  }
  if (!valuePattern.test(value)) throw invalid(`value '${value}' is invalid`);
  return { key, equal: operator === "==", value };
}

function isKnown(key: string): boolean {
  const labelled = [nodeLabels, engineLabels].some(
    (prefix) => key.startsWith(prefix) && key.length > prefix.length,
  );
  return labelled || plainKeys.includes(key);
}

function holds({ key, equal, value }: Constraint, node: MeshNode): boolean {
  const lower = key.toLowerCase();
  if (lower === "node.ip") return matchesIp(value, node.address, equal);
  return (value.toLowerCase() === property(lower, key, node).toLowerCase()) === equal;
}

function property(lower: string, key: string, node: MeshNode): string {
  if (lower === "node.id") return node.id;
  if (lower === "node.hostname") return node.hostname;
  if (lower === "node.role") return node.role;
  if (lower === "node.platform.os") return node.platform.os;
  if (lower === "node.platform.arch") return node.platform.arch;
  // Agents have no labels of their own, so that an engine label is always empty, as on an engine without labels.
  return lower.startsWith(nodeLabels) ? (node.labels[key.slice(nodeLabels.length)] ?? "") : "";
}

/** `value` is an address or a network; a node that is called by a name has neither. */
function matchesIp(value: string, address: string, equal: boolean): boolean {
  const network = parseNetwork(value);
  if (network === null) return false;
  const ip = parseIp(address);
  return (ip !== null && contains(network, ip)) === equal;
}

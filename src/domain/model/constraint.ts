// Placement constraints, such as `node.role==worker`. Grammar, keys and error texts are those of SwarmKit
// (manager/constraint).

import { contains, parseIp, parseNetwork } from "./cidr.ts";
import { invalidAs } from "./error.ts";
import type { MeshNode } from "./node.ts";
import type { ImagePlatform, ServiceSpec } from "./service.ts";

/** A parsed constraint. */
export type PropertyConstraint = {
  /** As written: `node.labels.zone`. Case matters only in a label's name. */
  readonly key: string;
  /** True for `==`, false for `!=`. */
  readonly equal: boolean;
  readonly value: string;
};

/** What a node must meet: a constraint, or one of the platforms that the service's image is for. */
export type Constraint = PropertyConstraint | { readonly platforms: readonly ImagePlatform[] };

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
 * Parses constraints. Refuses an unknown key; SwarmKit accepts it and then finds no node.
 *
 * @throws MeshError `constraint/invalid`
 */
export function parseConstraints(texts: readonly string[]): readonly PropertyConstraint[] {
  return texts.map(parseConstraint);
}

/** A service's constraints and platforms. @throws MeshError `constraint/invalid` */
export function constraintsOf({
  constraints,
  platforms = [],
}: Pick<ServiceSpec, "constraints" | "platforms">): readonly Constraint[] {
  return [...parseConstraints(constraints), ...(platforms.length === 0 ? [] : [{ platforms }])];
}

/** True if the node has one of the platforms. An empty word stands for any; Go's names and the kernel's are equal. */
function supportsOneOf(
  platforms: readonly ImagePlatform[],
  { platform }: Pick<MeshNode, "platform">,
): boolean {
  const arch = goArch(platform.arch);
  return platforms.some(
    (image) =>
      (image.os === "" || image.os.toLowerCase() === platform.os.toLowerCase()) &&
      (image.arch === "" || goArch(image.arch) === arch),
  );
}

/** The names of the kernel for what Go calls otherwise, as SwarmKit reads them. */
function goArch(arch: string): string {
  return { x86_64: "amd64", aarch64: "arm64" }[arch.toLowerCase()] ?? arch.toLowerCase();
}

/** True if the node meets all constraints. */
export function nodeMatches(constraints: readonly Constraint[], node: MeshNode): boolean {
  return constraints.every((constraint) => holds(constraint, node));
}

export function parseConstraint(text: string): PropertyConstraint {
  const operator = ["==", "!="].find((candidate) => text.includes(candidate));
  if (operator === undefined) throw invalid("constraint expected one operator from ==, !=");
  const operatorIndex = text.indexOf(operator);
  const key = text.slice(0, operatorIndex).trim();
  const value = text.slice(operatorIndex + operator.length).trim();
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
  return isLabelKey(key) || plainKeys.includes(key);
}

/** @param key in lower case */
function isLabelKey(key: string): boolean {
  return [nodeLabels, engineLabels].some((prefix) => key.startsWith(prefix) && key.length > prefix.length);
}

function holds(constraint: Constraint, node: MeshNode): boolean {
  if ("platforms" in constraint) return supportsOneOf(constraint.platforms, node);
  const { key, equal, value } = constraint;
  const lowerKey = key.toLowerCase();
  if (lowerKey === "node.ip") return matchesIp(value, node.address, equal);
  return (value.toLowerCase() === property(lowerKey, key, node).toLowerCase()) === equal;
}

/**
 * Checks the descriptor of a placement preference. SwarmKit accepts any other text and ignores it.
 *
 * @throws MeshError `constraint/invalid` unless it is `node.labels.NAME` or `engine.labels.NAME`
 */
export function checkSpreadDescriptor(text: string): void {
  const key = text.toLowerCase();
  if (isLabelKey(key)) return;
  throw invalid(`spread descriptor '${text}' is invalid: use ${nodeLabels}NAME or ${engineLabels}NAME`);
}

/** The value of a node's attribute, such as `node.role` or a label; empty for a node without the label. */
export function attributeValue(key: string, node: MeshNode): string {
  return property(key.toLowerCase(), key, node);
}

/** The attributes that decide whether a node meets a constraint. */
export function attributesOf(constraint: Constraint): readonly string[] {
  return "platforms" in constraint ? ["node.platform.os", "node.platform.arch"] : [constraint.key];
}

function property(lowerKey: string, key: string, node: MeshNode): string {
  if (lowerKey === "node.id") return node.id;
  if (lowerKey === "node.hostname") return node.hostname;
  if (lowerKey === "node.ip") return node.address;
  if (lowerKey === "node.role") return node.role;
  if (lowerKey === "node.platform.os") return node.platform.os;
  if (lowerKey === "node.platform.arch") return node.platform.arch;
  // Agents have no engine labels, so every engine label is empty, as on an engine without labels.
  return lowerKey.startsWith(nodeLabels) ? (node.labels[key.slice(nodeLabels.length)] ?? "") : "";
}

/** Compares a node's address with an address or a network; a DNS name is in no network. */
function matchesIp(value: string, address: string, equal: boolean): boolean {
  const network = parseNetwork(value);
  if (network === null) return false;
  const ip = parseIp(address);
  return (ip !== null && contains(network, ip)) === equal;
}

// Joining: the join tokens, and the credential that a joined node authenticates with.

import { MeshError } from "../domain/model/error.ts";
import { nodeCredentialPrefix } from "../domain/model/mesh-token.ts";
import { isBalancer, type MeshNode } from "../domain/model/node.ts";
import { checkHostname, checkMachineAddress } from "./addresses.ts";
import type { JoinTokens, NodeJoinInput } from "./api.ts";
import { type Draft, meshSubject, nodeSubject } from "./draft.ts";
import { forgetNode } from "./forgotten-nodes.ts";
import { limitJoins } from "./join-limits.ts";
import { noListeners } from "./listeners.ts";
import { scheduleSweep } from "./liveness.ts";
import { matchesHash, secretHash } from "./secrets.ts";
import type { RegistryStore } from "./store.ts";

/** Lengths in base-36 digits: 258, 129 and 258 bits. */
const digestLength = 50;
const tokenSecretLength = 25;
const credentialLength = 50;

/** The join tokens in Docker's form: `SWMTKN-1-<50 digits of the mesh>-<25 secret digits>`. */
export function joinTokens(store: RegistryStore): JoinTokens {
  const digest = store.meta("joinDigest");
  return {
    worker: `SWMTKN-1-${digest}-${store.meta("workerSecret")}`,
    manager: `SWMTKN-1-${digest}-${store.meta("managerSecret")}`,
  };
}

/** Creates the tokens of a new mesh. */
export function makeTokens(draft: Draft): void {
  const { store, context } = draft;
  store.setMeta("joinDigest", context.newSecret(digestLength));
  store.setMeta("workerSecret", context.newSecret(tokenSecretLength));
  store.setMeta("managerSecret", context.newSecret(tokenSecretLength));
}

/** Replaces tokens. The old ones are invalid at once; nodes that have joined keep their credentials. */
export function rotateTokens(
  draft: Draft,
  which: { readonly worker: boolean; readonly manager: boolean },
  actor: string,
): void {
  const { store, context } = draft;
  for (const role of ["worker", "manager"] as const) {
    if (!which[role]) continue;
    store.setMeta(`${role}Secret`, context.newSecret(tokenSecretLength));
    draft.recordEvent(actor, "mesh.rotate-token", meshSubject(draft), `the ${role} join token was replaced`);
  }
}

/**
 * Adds a machine as a new node. Its state is unknown until its agent says hello.
 *
 * A machine that joins again is a new node, with none of the operator's settings: the join token does not
 * prove that it is the same machine. The old node is removed once the new one says hello.
 *
 * @throws MeshError join/unauthorized, join/too-many, node/conflict, address/invalid
 * @see docs/decisions/0059-nodes-are-not-trusted.md
 */
export function join(draft: Draft, input: NodeJoinInput): { nodeId: string; credential: string } {
  const role = tokenRole(joinTokens(draft.store), input.token);
  if (role === null)
    throw new MeshError("join/unauthorized", "invalid join token", { blame: "node", retry: "never" });
  checkHostname(input.hostname);
  checkMachineAddress(input, draft.context.addresses);
  replaceUnjoinedNode(draft, input.hostname);
  limitJoins(draft);
  const node = newNode(draft, input, isBalancer(input) ? "worker" : role);
  const credential = nodeCredentialPrefix + draft.context.newSecret(credentialLength);
  draft.put("nodes", node);
  draft.store.setCredentialHash(node.id, secretHash(credential));
  draft.store.setDisconnectedAt([node.id], draft.nowMs);
  if (!hasHadNodes(draft.store)) draft.store.setMeta("hadNodes", "true");
  scheduleSweep(draft);
  const kind = isBalancer(node) ? "balancer" : node.role;
  draft.recordEvent(`node ${node.hostname}`, "node.join", nodeSubject(node), `joined as ${kind}`);
  return { nodeId: node.id, credential };
}

/** True if this is the node's credential; false for a removed node. */
export function isCredentialOf(store: RegistryStore, nodeId: string, credential: string): boolean {
  const hash = store.credentialHash(nodeId);
  return hash !== null && matchesHash(credential, hash);
}

/** True if a node has joined once. Until then a restore may bring nodes whose agents are dialing already. */
export function hasHadNodes(store: RegistryStore): boolean {
  return store.meta("hadNodes") !== null;
}

/** True if a machine may join with this token. */
export function mayJoin(store: RegistryStore, token: string): boolean {
  return tokenRole(joinTokens(store), token) !== null;
}

/**
 * The role that a token joins a node with.
 *
 * @returns null if it is no join token of the mesh
 * @see docs/decisions/0094-managers-are-a-placement.md
 */
function tokenRole(tokens: JoinTokens, token: string): MeshNode["role"] | null {
  // Compares both in any case, so that the duration reveals nothing.
  const isWorkerToken = matchesHash(token, secretHash(tokens.worker));
  const isManagerToken = matchesHash(token, secretHash(tokens.manager));
  if (isWorkerToken) return "worker";
  return isManagerToken ? "manager" : null;
}

/**
 * Removes the nodes of this name that never said hello.
 *
 * @throws MeshError node/conflict if it did and is not down
 */
function replaceUnjoinedNode(draft: Draft, hostname: string): void {
  for (const node of draft.world.nodes.values()) {
    if (node.hostname !== hostname) continue;
    if (node.state !== "unknown" && node.state !== "down") throw nodeNameTaken(node);
    if (node.wasReady !== true) forgetNode(draft, node, "its name joined again before it said hello");
  }
}

export function nodeNameTaken({ hostname, id, state }: MeshNode): MeshError {
  return new MeshError(
    "node/conflict",
    `node ${hostname} (${id}) is ${state}: stop its agent, or join with another --name`,
    { blame: "node", retry: "safe" },
  );
}

function newNode(draft: Draft, input: NodeJoinInput, role: MeshNode["role"]): MeshNode {
  const { nowMs, context } = draft;
  const { kind, ingress, hostname, address, gateway, platform, resources, engineVersion, runtime } = input;
  return {
    id: context.newId(),
    ...(kind !== undefined && { kind }),
    hostname,
    address,
    ...(gateway !== undefined && { gateway }),
    ...(ingress && { listeners: noListeners, mayHaveKeys: true as const }),
    entryHosts: [],
    role,
    availability: kind === "balancer" ? "drain" : "active",
    labels: {},
    platform,
    resources,
    engineVersion,
    runtime,
    state: "unknown",
    message: "waiting for its agent",
    stateSinceMs: nowMs,
    version: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    leaving: false,
  };
}

// The keys of the mesh by which routers prove attempts to gateways, and their rotation.
//
// A rotation has no gap: first every agent gets the new key beside the old one, then routers sign with it, and
// the old one goes when no router can have it any more.

import { createHmac } from "node:crypto";
import { nodeKeyText } from "../gateway/attempt.ts";
import type { SentNodeKey } from "../protocol/agent.ts";
import { type Draft, meshSubject } from "./draft.ts";
import type { RegistryStore } from "./store.ts";

/** A key of the mesh. Routers have them, agents and people do not. */
export type MeshKey = { readonly id: string; readonly secret: string };

/** The keys by age, the oldest first, and the one that routers sign with. */
type StoredKeys = {
  readonly keys: readonly (MeshKey & { readonly madeAtMs: number })[];
  readonly signing: string;
};

/** Base-36 digits of a key and of its id: 258 and 41 bits. */
const secretLength = 50;
const idLength = 8;

/** Time for agents to get a new key before routers sign with it, milliseconds. */
const keyHandoutMs = 15_000;
/** Time for routers to stop signing with an old key, milliseconds: a stale router keeps its table that long. */
const keyRetireMs = 600_000;
/** Keys at a time, for many rotations one after another; agents and routers read at most 16. */
const maxKeys = 8;

/** Makes the first key of a mesh that has none. */
export function makeGatewayKey(draft: Draft): void {
  if (draft.store.meta("gatewayKeys") !== null) return;
  const key = newKey(draft);
  save(draft.store, { keys: [key], signing: key.id });
}

/** The keys that routers may sign with; the table names the one that they do. */
export function meshKeys(store: RegistryStore): readonly MeshKey[] {
  return read(store).keys.map(({ id, secret }) => ({ id, secret }));
}

/** Id of the key that routers sign with; null in a mesh without keys. */
export function signingKeyId(store: RegistryStore): string | null {
  return read(store).signing || null;
}

/** The keys of one node, which its agent gets with its assignment. */
export function nodeKeys(keys: readonly MeshKey[], nodeId: string): SentNodeKey[] {
  return keys.map(({ id, secret }) => ({
    id,
    key: createHmac("sha256", secret).update(nodeKeyText(nodeId)).digest("base64url"),
  }));
}

/** Adds a key, which replaces the others step by step; see `advanceRotation`. */
export function rotateGatewayKey(draft: Draft, actor: string): void {
  const { keys, signing } = read(draft.store);
  save(draft.store, { keys: withKey(keys, signing, newKey(draft)), signing });
  draft.hasNewKeys = true;
  for (const id of draft.world.nodes.keys()) draft.resend.add(id);
  scheduleRotation(draft);
  const why = `routers sign with a new gateway key in ${keyHandoutMs / 1_000} s`;
  draft.recordEvent(actor, "mesh.rotate-gateway-key", meshSubject(draft), why);
}

/** The keys with a new one. Of too many those go first that no router should sign with any more. */
function withKey(keys: StoredKeys["keys"], signing: string, key: StoredKeys["keys"][number]) {
  if (keys.length < maxKeys) return [...keys, key];
  // Without retired keys the newest one goes, which the new key replaces before it was used.
  const dropped = keys[0]?.id === signing ? keys.length - 1 : 0;
  return [...keys.toSpliced(dropped, 1), key];
}

/** After the clock was set back, keys that lie ahead count as made now. */
export function followKeyClock(store: RegistryStore, nowMs: number): void {
  const stored = read(store);
  if (stored.keys.every(({ madeAtMs }) => madeAtMs <= nowMs)) return;
  const keys = stored.keys.map((key) => ({ ...key, madeAtMs: Math.min(key.madeAtMs, nowMs) }));
  save(store, { ...stored, keys });
  store.setDeadline("gateway-keys", keys.length === 1 ? null : nowMs + keyHandoutMs);
}

/** Takes the due steps of a rotation: signs with the newest key that agents have, and drops old keys. */
export function advanceRotation(draft: Draft): void {
  const { keys, signing: previous } = read(draft.store);
  const { nowMs } = draft;
  const handedOut = keys.filter(({ madeAtMs }) => madeAtMs + keyHandoutMs <= nowMs);
  const signing = handedOut.at(-1) ?? keys[0];
  if (signing === undefined) return;
  const isCurrent = (at: number) => {
    const successor = keys[at + 1];
    return successor === undefined || successor.madeAtMs + keyHandoutMs + keyRetireMs > nowMs;
  };
  const kept = keys.filter((_, at) => isCurrent(at));
  // Nodes sign attempts on networks with the same key of the mesh as routers.
  if (kept.length < keys.length || signing.id !== previous) {
    draft.hasNewKeys = true;
    for (const id of draft.world.nodes.keys()) draft.resend.add(id);
  }
  save(draft.store, { keys: kept, signing: signing.id });
  scheduleRotation(draft);
}

function scheduleRotation({ store, nowMs }: Draft): void {
  const { keys, signing } = read(store);
  const newest = keys.at(-1);
  if (newest === undefined || keys.length === 1) {
    store.setDeadline("gateway-keys", null);
    return;
  }
  const atMs = newest.id === signing ? (keys[1]?.madeAtMs ?? nowMs) + keyRetireMs : newest.madeAtMs;
  store.setDeadline("gateway-keys", atMs + keyHandoutMs);
}

function newKey({ context, nowMs }: Draft): StoredKeys["keys"][number] {
  return { id: context.newSecret(idLength), secret: context.newSecret(secretLength), madeAtMs: nowMs };
}

function read(store: RegistryStore): StoredKeys {
  return JSON.parse(store.meta("gatewayKeys") ?? '{"keys":[],"signing":""}') as StoredKeys;
}

function save(store: RegistryStore, stored: StoredKeys): void {
  store.setMeta("gatewayKeys", JSON.stringify(stored));
}

// Secrets and configs: stores them sealed, and gives their data to the nodes whose tasks read them.
//
// They are rows of their own and no part of the world, so that no event of the mesh costs more because of them. Refusals
// have SwarmKit's words, which Docker's clients look for. None quotes data.

import {
  type Dependency,
  type DependencyKind,
  type DependencyRef,
  whyNotDataSize,
  whyNotDependencyName,
} from "../domain/model/dependency.ts";
import { MeshError } from "../domain/model/error.ts";
import { resolveRef } from "../domain/model/refs.ts";
import { isAlive } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import type { DependencyInput, DependencyUpdate, DependencyView } from "./api.ts";
import type { Draft } from "./draft.ts";
import { requireVersion } from "./refs.ts";
import { openText, sealRandomLength, sealText, secretFor } from "./sealed-text.ts";
import type { RegistryStore } from "./store.ts";

/** All of a kind, oldest first. */
export function dependenciesOf(store: RegistryStore, kind: DependencyKind): readonly Dependency[] {
  return store
    .dependencies()
    .filter((dependency) => dependency.kind === kind)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
}

/** @throws MeshError secret/not-found, config/not-found, secret/invalid, config/invalid if several match */
export function findDependency(store: RegistryStore, kind: DependencyKind, ref: string): Dependency {
  return resolveRef(dependenciesOf(store, kind), ref, { kind, name: ({ name }) => name });
}

/** A config has its data, a secret has not. @throws MeshError as findDependency and openData */
export function dependencyView(
  store: RegistryStore,
  kind: DependencyKind,
  ref: string,
  sealSecret: string,
): DependencyView {
  const dependency = findDependency(store, kind, ref);
  return kind === "secret" ? dependency : { ...dependency, data: openData(store, dependency, sealSecret) };
}

/** @throws MeshError secret/invalid, secret/conflict, config/invalid, config/conflict */
export function createDependency(draft: Draft, input: DependencyInput, actor: string): Dependency {
  const { kind, name, labels, data } = input;
  const { store, context, nowMs } = draft;
  const why = whyNotDependencyName(name) ?? whyNotDataSize(kind, Buffer.byteLength(data, "base64"));
  if (why !== null) throw refusal(`${kind}/invalid`, why);
  if (dependenciesOf(store, kind).some((other) => other.name === name))
    throw refusal(`${kind}/conflict`, `${kind} ${name} already exists`);
  const id = context.newId();
  const dependency = { id, kind, name, labels, version: 1, createdAtMs: nowMs, updatedAtMs: nowMs };
  store.putDependency(dependency);
  const random = context.newSecret(sealRandomLength);
  store.putDependencyData(id, sealText(data, dataSecret(context.sealSecret), random));
  draft.recordEvent(actor, `${kind}.create`, { type: kind, id, name });
  return dependency;
}

/** Replaces the labels. @throws MeshError secret/sequence, secret/invalid, config/sequence, config/invalid */
export function updateDependency(
  draft: Draft,
  dependency: Dependency,
  version: number,
  { name, labels, data }: DependencyUpdate,
  actor: string,
): void {
  const { store, nowMs, context } = draft;
  const { id, kind } = dependency;
  requireVersion(kind, dependency, version);
  if (name !== dependency.name || (data !== null && data !== openData(store, dependency, context.sealSecret)))
    throw refusal(`${kind}/invalid`, "only updates to Labels are allowed");
  store.putDependency({ ...dependency, labels, version: version + 1, updatedAtMs: nowMs });
  draft.recordEvent(actor, `${kind}.update`, { type: kind, id, name });
}

/** @throws MeshError secret/invalid, config/invalid while a service refers to it */
export function removeDependency(draft: Draft, { id, kind, name }: Dependency, actor: string): void {
  const users = [...draft.world.services.values()]
    .filter(({ spec }) => spec.run.dependencies?.some((ref) => ref.id === id))
    .map(({ spec }) => spec.name)
    .sort();
  if (users.length > 0) {
    const noun = users.length === 1 ? "service" : "services";
    const message = `${kind} '${name}' is in use by the following ${noun}: ${users.join(", ")}`;
    throw refusal(`${kind}/invalid`, message);
  }
  draft.store.removeDependency(id);
  draft.recordEvent(actor, `${kind}.remove`, { type: kind, id, name });
}

/** Refuses references to what is not stored, or not under this name. @throws MeshError service/invalid */
export function checkDependencies(store: RegistryStore, refs: readonly DependencyRef[]): void {
  if (refs.length === 0) return;
  const stored = new Map(store.dependencies().map((dependency) => [dependency.id, dependency]));
  for (const kind of ["secret", "config"] as const) {
    const unknown = refs.filter((ref) => {
      const found = stored.get(ref.id);
      return ref.kind === kind && (found?.kind !== kind || found.name !== ref.name);
    });
    if (unknown.length === 0) continue;
    const noun = unknown.length === 1 ? kind : `${kind}s`;
    throw refusal("service/invalid", `${noun} not found: ${unknown.map(({ name }) => name).join(", ")}`);
  }
}

/**
 * The data of a dependency for a node with a live task that reads it; no other node gets it.
 *
 * @returns base64
 * @throws MeshError dependency/forbidden, secret/invalid, config/invalid
 */
export function taskDependency(
  store: RegistryStore,
  world: World,
  { nodeId, id }: { readonly nodeId: string; readonly id: string },
  sealSecret: string,
): string {
  const isUsed = [...world.tasks.values()].some(
    (task) => task.nodeId === nodeId && isAlive(task) && task.run.dependencies?.some((ref) => ref.id === id),
  );
  const found = isUsed ? store.dependencies().find((dependency) => dependency.id === id) : undefined;
  if (found !== undefined) return openData(store, found, sealSecret);
  throw new MeshError("dependency/forbidden", "no task of this node reads a secret or config of this id", {
    blame: "node",
    retry: "never",
  });
}

/** @param hasHadNodes false for a new mesh, to which a restore may still bring the node */
export function wrongNodeCredential(nodeId: string, hasHadNodes: boolean): MeshError {
  if (!hasHadNodes)
    return new MeshError("dependency/unavailable", `this mesh is new and does not know node ${nodeId} yet`, {
      blame: "operator",
      retry: "safe",
    });
  const message = `the credential is not that of node ${nodeId}`;
  return new MeshError("dependency/unauthorized", message, { blame: "node", retry: "never" });
}

/** @throws MeshError secret/invalid, config/invalid if it was sealed under another operator token */
function openData(store: RegistryStore, { id, kind, name }: Dependency, sealSecret: string): string {
  const data = openText(store.dependencyData(id) ?? "", dataSecret(sealSecret));
  if (data !== null) return data;
  throw refusal(
    `${kind}/invalid`,
    `${kind} ${name} was stored under another operator token and cannot be opened: remove it, and create it again`,
  );
}

/** Under which the data of secrets and configs is sealed. */
export function dataSecret(sealSecret: string): string {
  return secretFor("secrets and configs", sealSecret);
}

function refusal(code: MeshError["code"], message: string): MeshError {
  return new MeshError(code, message, { blame: "operator", retry: "never" });
}

// The printed table: the routing table's text in parts, one for each node and service, kept from one transaction to
// the next. A change prints the parts that it touches, and the table's hash is that of the hashes of its parts.

import { createHash } from "node:crypto";
import {
  byTableOrder,
  compileNames,
  compileNode,
  compileService,
  type ServiceNames,
} from "../domain/compile/compile-table.ts";
import type { World } from "../domain/model/world.ts";
import { joinTable, nodeWords, printNode, printTableService } from "../domain/table/text.ts";
import type { Draft } from "./draft.ts";
import { sameData } from "./same-data.ts";
import type { WorldIndex } from "./world-index.ts";

export class PrintedTable {
  readonly #nodes = new TableParts();
  readonly #services = new TableParts();
  /** By node, the word that names it in the lines of tasks. */
  #words: ReadonlyMap<string, string> = new Map();
  #names: ServiceNames = { hosts: new Map(), defaultService: null };
  /** What changed since the last confirmed print, by id. Null: nothing is printed yet. */
  #changed: ChangedParts | null = null;

  /**
   * Prints what changed.
   *
   * @param world a saved one, or that of `draft`
   * @param index of this world
   * @param draft null: the world is saved
   */
  update(world: World, index: WorldIndex, draft: Draft | null): void {
    this.#changed ??= changedParts(world.nodes.keys(), world.services.keys());
    if (draft !== null) this.#noteChanges(draft);
    const { nodes, services, members } = this.#changed;
    const dirty = new Set([...services, ...members]);
    for (const id of nodes) {
      for (const { serviceId } of index.tasksOfNode(world, id)) dirty.add(serviceId);
    }
    this.#updateNodes(world, nodes);
    for (const id of this.#renameNodes()) {
      for (const { serviceId } of index.tasksOfNode(world, id)) dirty.add(serviceId);
    }
    if (services.size > 0) for (const id of this.#updateNames(world)) dirty.add(id);
    for (const id of dirty) this.#services.set(id, this.#printService(world, index, id));
    if (draft === null) this.confirm();
  }

  /** The last print is that of a saved world. Until then the next print begins with the same changes. */
  confirm(): void {
    if (this.#changed !== null) this.#changed = changedParts([], []);
  }

  #noteChanges(draft: Draft): void {
    const { nodes, services, members } = this.#changed ?? changedParts([], []);
    for (const id of draft.touched("nodes").keys()) nodes.add(id);
    for (const id of draft.touched("services").keys()) services.add(id);
    const { tasks, servers } = draft.world;
    for (const [id, before] of draft.touched("tasks"))
      members.add((tasks.get(id) ?? before)?.serviceId ?? "");
    for (const [id, before] of draft.touched("servers"))
      members.add((servers.get(id) ?? before)?.serviceId ?? "");
  }

  /** Identifies the text without its version. */
  hash(signingKey: string | null): string {
    const parts = [this.#names.defaultService, signingKey, this.#nodes.hash(), this.#services.hash()];
    return sha256(JSON.stringify(parts));
  }

  text(version: number, signingKey: string | null): string {
    return joinTable({
      version,
      defaultService: this.#names.defaultService,
      signingKey,
      nodes: this.#nodes.inOrder().map(({ text }) => text),
      services: this.#services.inOrder().map(({ text }) => text),
    });
  }

  #updateNodes(world: World, ids: Iterable<string>): void {
    for (const id of ids) {
      const node = world.nodes.get(id);
      const compiled = node === undefined ? null : compileNode(node);
      this.#nodes.set(id, compiled && { name: compiled.name, text: printNode(compiled) });
    }
  }

  /** Returns the nodes that are named by another word than before. */
  #renameNodes(): readonly string[] {
    if (!this.#nodes.areRenamed) return [];
    const before = this.#words;
    this.#words = nodeWords(this.#nodes.inOrder());
    return [...this.#words].filter(([id, word]) => before.get(id) !== word).map(([id]) => id);
  }

  /** Returns the services that have other host names than before. */
  #updateNames(world: World): readonly string[] {
    const before = this.#names.hosts;
    this.#names = compileNames(world.services.values());
    const { hosts } = this.#names;
    return [...before.keys(), ...hosts.keys()].filter((id) => !sameData(before.get(id), hosts.get(id)));
  }

  #printService(world: World, index: WorldIndex, id: string): PrintedPart | null {
    const service = world.services.get(id);
    if (service === undefined) return null;
    const compiled = compileService(service, {
      hosts: this.#names.hosts.get(id) ?? [],
      tasks: index.tasksOfService(world, id),
      servers: index.serversOfService(world, id),
      nodes: world.nodes,
    });
    return { name: compiled.name, text: printTableService(compiled, this.#words) };
  }
}

type ChangedParts = {
  readonly nodes: Set<string>;
  /** Services that were added, changed or removed. */
  readonly services: Set<string>;
  /** Services of tasks and servers that were added, changed or removed. */
  readonly members: Set<string>;
};

function changedParts(nodes: Iterable<string>, services: Iterable<string>): ChangedParts {
  return { nodes: new Set(nodes), services: new Set(services), members: new Set() };
}

type PrintedPart = { readonly name: string; readonly text: string };

/** The printed nodes or services, in the order of the table. */
class TableParts {
  readonly #parts = new Map<string, PrintedPart & { readonly id: string; readonly hash: string }>();
  #order: readonly string[] | null = null;
  #hash: string | null = null;
  /** True if a part was added, renamed or removed since they were put in order. */
  get areRenamed(): boolean {
    return this.#order === null;
  }

  /** @param part null: the table no longer has it */
  set(id: string, part: PrintedPart | null): void {
    const before = this.#parts.get(id);
    if (before?.text === part?.text && before?.name === part?.name) return;
    this.#hash = null;
    if (before?.name !== part?.name) this.#order = null;
    if (part === null) this.#parts.delete(id);
    else this.#parts.set(id, { ...part, id, hash: sha256(part.text) });
  }

  inOrder(): readonly (PrintedPart & { readonly id: string; readonly hash: string })[] {
    this.#order ??= [...this.#parts.values()].sort(byTableOrder).map(({ id }) => id);
    return this.#order.flatMap((id) => this.#parts.get(id) ?? []);
  }

  hash(): string {
    this.#hash ??= sha256(
      this.inOrder()
        .map(({ hash }) => hash)
        .join(" "),
    );
    return this.#hash;
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

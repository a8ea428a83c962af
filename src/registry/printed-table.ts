// The printed table: the routing table's text in parts, one for each node and service, kept from one transaction to
// the next. A change prints the parts that it touches, and the table's hash is that of the hashes of its parts. What a
// version changed is kept for a while, so that a router that has an earlier version gets the lines that changed since.

import { createHash } from "node:crypto";
import {
  compileNames,
  compileNode,
  compileService,
  type ServiceNames,
} from "../domain/compile/compile-table.ts";
import type { World } from "../domain/model/world.ts";
import { printServiceChange, printTableChange } from "../domain/table/change-text.ts";
import { PartsHash, tableHash } from "../domain/table/parts-hash.ts";
import { diffService, followDiff } from "../domain/table/service-lines.ts";
import { byTableOrder } from "../domain/table/table.ts";
import { joinTable, nodeWords, printNode, printTableService } from "../domain/table/text.ts";
import type { Draft } from "./draft.ts";
import { sameData } from "./same-data.ts";
import { TableHistory, TouchedParts } from "./table-history.ts";
import type { WorldIndex } from "./world-index.ts";

/** A change is not sent if it is longer than this share of the table, which is compressed; */
const maxChangeShare = 1 / 8;
/** nor if it has more letters than this. */
const smallChangeLength = 4_096;

export class PrintedTable {
  readonly #nodes = new TableParts();
  readonly #services = new TableParts();
  /** By node, the word that names it in the lines of tasks. */
  #words: ReadonlyMap<string, string> = new Map();
  #names: ServiceNames = { hosts: new Map(), defaultService: null };
  /** What changed since the last confirmed print, by id. Null: nothing is printed yet. */
  #changed: ChangedParts | null = null;
  readonly #linesHash = PartsHash.empty();
  readonly #history = new TableHistory();
  /** What was printed since the newest version of the history. */
  #touched = new TouchedParts();

  /**
   * Prints what changed. The print counts once it is confirmed.
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
    for (const id of dirty) this.#setService(id, this.#printService(world, index, id));
  }

  /**
   * The last print is that of a saved world. Until then the next print begins with the same changes.
   *
   * @param version of the table that was printed; null: another release printed it, perhaps otherwise
   */
  confirm(version: number | null): void {
    if (this.#changed !== null) this.#changed = changedParts([], []);
    if (version === null || version === this.#history.newest) return;
    this.#history.record(version, this.#touched);
    this.#touched = new TouchedParts();
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

  /** True if everything is printed and confirmed. */
  get isPrinted(): boolean {
    if (this.#changed === null) return false;
    const { nodes, services, members } = this.#changed;
    return nodes.size + services.size + members.size === 0;
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

  /**
   * The change from an earlier version to the one that was confirmed last; null if it is not known any more, or about
   * as long as the whole table.
   */
  change(fromVersion: number, signingKey: string | null): string | null {
    const version = this.#history.newest;
    const touched = this.#history.since(fromVersion);
    if (version === null || touched === null) return null;
    const { defaultService } = this.#names;
    const text = printTableChange({
      fromVersion,
      version,
      hash: tableHash({ version, defaultService, signingKey }, this.#linesHash),
      defaultService,
      signingKey,
      nodes: new Map([...touched.nodes].map((id) => [id, this.#nodes.text(id)])),
      services: [...touched.services].map(([id, lines]) =>
        printServiceChange(id, this.#services.text(id), lines),
      ),
    });
    const length = this.#nodes.length + this.#services.length;
    return text.length > Math.max(smallChangeLength, length * maxChangeShare) ? null : text;
  }

  #updateNodes(world: World, ids: Iterable<string>): void {
    for (const id of ids) {
      const node = world.nodes.get(id);
      const compiled = node === undefined ? null : compileNode(node);
      const before = this.#nodes.text(id);
      const text = compiled && printNode(compiled);
      if (!this.#nodes.set(id, compiled && { name: compiled.name, text: text ?? "" })) continue;
      if (before !== null) this.#linesHash.remove("", before);
      if (text !== null) this.#linesHash.add("", text);
      this.#touched.nodes.add(id);
    }
  }

  #setService(id: string, part: PrintedPart | null): void {
    const before = this.#services.text(id);
    if (!this.#services.set(id, part)) return;
    const diff = diffService(before, part?.text ?? null);
    followDiff(this.#linesHash, id, diff);
    this.#touched.addService(id, before === null, diff);
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
  #length = 0;

  /** True if a part was added, renamed or removed since they were put in order. */
  get areRenamed(): boolean {
    return this.#order === null;
  }

  /**
   * @param part null: the table no longer has it
   * @returns true if that is a change
   */
  set(id: string, part: PrintedPart | null): boolean {
    const before = this.#parts.get(id);
    if (before?.text === part?.text && before?.name === part?.name) return false;
    this.#hash = null;
    if (before?.name !== part?.name) this.#order = null;
    if (part === null) this.#parts.delete(id);
    else this.#parts.set(id, { ...part, id, hash: sha256(part.text) });
    this.#length += (part?.text.length ?? 0) - (before?.text.length ?? 0);
    return true;
  }

  /** The lines of a part; null without one. */
  text(id: string): string | null {
    return this.#parts.get(id)?.text ?? null;
  }

  /** The number of letters of all parts. */
  get length(): number {
    return this.#length;
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

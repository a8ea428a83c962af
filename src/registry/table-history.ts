// The history of the routing table: for each of the last versions, the names of the lines that it changed. What the
// lines are now is in the printed table, so that several versions combine into one change, and the memory is that of
// the changes.

import type { TouchedService } from "../domain/table/change-text.ts";
import type { ServiceDiff } from "../domain/table/service-lines.ts";

/** Names of lines that are kept, about 100 bytes each. */
const maxNames = 20_000;
const maxVersions = 1_000;

/** Names of lines that were added, changed or removed. */
export class TouchedParts {
  /** Ids of nodes. */
  readonly nodes = new Set<string>();
  /** By id. */
  readonly services = new Map<string, TouchedService & { readonly members: Set<string> }>();

  /** The number of names. */
  get size(): number {
    let size = this.nodes.size;
    for (const { members } of this.services.values()) size += 1 + members.size;
    return size;
  }

  /** @param isWhole true: all of the service is new */
  addService(id: string, isWhole: boolean, { head, members }: ServiceDiff): void {
    const names = isWhole ? [] : [...members.keys()].map(ownString);
    this.#join(id, { isWhole, hasNewHead: head !== null, members: new Set(names) });
  }

  join({ nodes, services }: TouchedParts): void {
    for (const id of nodes) this.nodes.add(id);
    for (const [id, touched] of services) this.#join(id, touched);
  }

  #join(id: string, { isWhole, hasNewHead, members }: TouchedService): void {
    const known = this.services.get(id);
    const all = known?.members ?? new Set<string>();
    // The lines of a whole service are not named.
    const isAll = isWhole || known?.isWhole === true;
    if (isAll) all.clear();
    else for (const key of members) all.add(key);
    this.services.set(id, {
      isWhole: isAll,
      hasNewHead: hasNewHead || known?.hasNewHead === true,
      members: all,
    });
  }
}

/** A copy: a part of a string keeps the whole string in memory, here the lines of a service. */
function ownString(text: string): string {
  return JSON.parse(JSON.stringify(text));
}

export class TableHistory {
  /** Consecutive versions, the oldest first, each with what it changed. */
  readonly #versions: { readonly version: number; readonly touched: TouchedParts; readonly size: number }[] =
    [];
  #names = 0;
  /** The newest version; null before the first. */
  #newest: number | null = null;

  get newest(): number | null {
    return this.#newest;
  }

  /** Begins with a version whose lines are known, or follows to the next one, by what it touched. */
  record(version: number, touched: TouchedParts): void {
    if (this.#newest === null || version !== this.#newest + 1) this.#forget();
    else {
      const { size } = touched;
      this.#versions.push({ version, touched, size });
      this.#names += size;
    }
    this.#newest = version;
    while (this.#names > maxNames || this.#versions.length > maxVersions) {
      this.#names -= this.#versions.shift()?.size ?? 0;
    }
  }

  /** What was touched after a version; null if that is not known. */
  since(version: number): TouchedParts | null {
    if (this.#newest === null || version > this.#newest || version < this.#newest - this.#versions.length)
      return null;
    const all = new TouchedParts();
    for (const entry of this.#versions.slice(this.#versions.length - (this.#newest - version)))
      all.join(entry.touched);
    return all;
  }

  #forget(): void {
    this.#versions.length = 0;
    this.#names = 0;
  }
}

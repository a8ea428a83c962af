// A map with versions: a change makes a new version, and the version before stays as it was. That takes the same
// time however large the map is.
//
// Only the newest version has all entries. The version before has the entries that its successor replaced, and
// reads the others there (Baker's shallow binding). So it also knows what changed, and a change can be undone.

export class VersionedMap<V> implements ReadonlyMap<string, V> {
  /** Null: a later version has them. */
  #entries: Map<string, V> | null;
  #size: number;
  #successor: VersionedMap<V> | null = null;
  /** By id, the values that the successor replaced; undefined: it added the entry. */
  readonly #replaced = new Map<string, V | undefined>();
  /** Where this version records what it replaces; null once it has a successor. */
  #predecessor: VersionedMap<V> | null;

  /** @param entries belong to this map from now on */
  constructor(entries: Map<string, V>, predecessor: VersionedMap<V> | null = null) {
    this.#entries = entries;
    this.#size = entries.size;
    this.#predecessor = predecessor;
  }

  get size(): number {
    return this.#entries?.size ?? this.#size;
  }

  get(id: string): V | undefined {
    if (this.#entries !== null) return this.#entries.get(id);
    return this.#replaced.has(id) ? this.#replaced.get(id) : this.#successor?.get(id);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  entries(): MapIterator<[string, V]> {
    return this.#entries?.entries() ?? this.#earlierEntries();
  }

  keys(): MapIterator<string> {
    return this.#entries?.keys() ?? new Map(this.#earlierEntries()).keys();
  }

  values(): MapIterator<V> {
    return this.#entries?.values() ?? new Map(this.#earlierEntries()).values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(work: (value: V, id: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [id, value] of this) work(value, id, this);
  }

  /** The version after this one, to be changed. Only the newest version has one. */
  next(): VersionedMap<V> {
    const entries = this.#own();
    this.#size = entries.size;
    this.#entries = null;
    this.#predecessor = null;
    this.#successor = new VersionedMap(entries, this);
    return this.#successor;
  }

  set(id: string, value: V): void {
    const entries = this.#own();
    this.#remember(id);
    entries.set(id, value);
  }

  delete(id: string): void {
    const entries = this.#own();
    this.#remember(id);
    entries.delete(id);
  }

  /** Takes back the version after this one, which must not be used any more. */
  undo(): void {
    const successor = this.#successor;
    if (successor === null) return;
    const entries = successor.#own();
    for (const [id, value] of this.#replaced) {
      if (value === undefined) entries.delete(id);
      else entries.set(id, value);
    }
    this.#replaced.clear();
    successor.#entries = null;
    this.#successor = null;
    this.#entries = entries;
  }

  /** By id, the values that `later`, the version after this one, replaced; null if it is another map. */
  replacedBy(later: ReadonlyMap<string, V>): ReadonlyMap<string, V | undefined> | null {
    return later === this.#successor ? this.#replaced : null;
  }

  *#earlierEntries(): MapIterator<[string, V]> {
    for (const entry of this.#successor ?? []) if (!this.#replaced.has(entry[0])) yield entry;
    for (const [id, value] of this.#replaced) if (value !== undefined) yield [id, value];
  }

  #remember(id: string): void {
    if (this.#predecessor === null) return;
    const replaced = this.#predecessor.#replaced;
    if (!replaced.has(id)) replaced.set(id, this.get(id));
  }

  #own(): Map<string, V> {
    if (this.#entries === null) throw new Error("only the newest version of a map can be changed");
    return this.#entries;
  }
}

/**
 * The ids of the entries in which two maps may differ, with their values before; undefined: the entry was added. Of
 * two versions of one map, these are the entries that changed; other maps are compared.
 */
export function changesBetween<V>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
): ReadonlyMap<string, V | undefined> {
  if (before === after) return new Map();
  const known = before instanceof VersionedMap ? before.replacedBy(after) : null;
  if (known !== null) return known;
  const changes = new Map<string, V | undefined>();
  for (const [id, value] of before) if (after.get(id) !== value) changes.set(id, value);
  for (const id of after.keys()) if (!before.has(id)) changes.set(id, undefined);
  return changes;
}

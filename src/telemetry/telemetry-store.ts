// Stores the telemetry state: a journal of deltas, and now and then the changed items, in shards.
//
// A save appends the deltas since the last one to the journal, as they came: one row, however many items they change.
// Once the journal has grown, a checkpoint writes the shards with changed items, some with each save, so that none
// takes long; then the journal before it is not needed any more, and its rows are written over. After a start, the
// journal is applied to the items again. An item has the number of the last delta that it includes.
//
// A shard is a row. There are so many shards that none is long; while a checkpoint writes them in a new number, the
// rows of the former number are there, too, and an item is read from the row with the later delta.

import { fnv1a } from "../domain/model/fnv.ts";
import { migrate } from "../storage/migrations.ts";
import { type SqlDatabase, upsert } from "../storage/sql-database.ts";
import type { TelemetryItem } from "./items.ts";
import { addShards, itemCharacters, itemText, readItems, telemetrySchema } from "./telemetry-rows.ts";
import { newTelemetryState, putItem, type TelemetryState } from "./telemetry-state.ts";

type LineHead = { readonly line: number; readonly receivedMs: number; readonly waitedMs: number };

/** A delta on its way into the journal. */
export type JournalLine = LineHead & {
  /** The delta as JSON. */
  readonly text: string;
};

/** A delta of the journal. */
export type StoredLine = LineHead & {
  /** Not validated. */
  readonly delta: unknown;
};

/** Characters of one journal row: at most three bytes each, so that no row has a megabyte. */
const maxRowCharacters = 300_000;
/** Journal rows, or characters in them, from which a checkpoint begins. */
const checkpointRows = 64;
const checkpointCharacters = 4_000_000;
/** Characters of a shard on average, and the most shards; rows stay below a megabyte. */
const shardCharacters = 100_000;
const maxShards = 1_024;
/** Characters of items that a save writes besides the journal, or as many as the journal: about ten milliseconds. */
const minItemCharacters = 250_000;
/** Ends a delta in the journal. JSON has it nowhere. */
const lineEnd = "\u001e";

/** The only row of the table checkpoint. */
type StoredCheckpoint = {
  readonly sinceMs: number;
  /** Deltas that the last checkpoint includes. */
  readonly line: number;
  /** The first journal row after it. */
  readonly firstRow: number;
  /** In how many shards it is. */
  readonly shards: number;
  readonly seqs: readonly (readonly [string, number])[];
};

type JournalRow = { readonly slot: number; readonly number: number; readonly characters: number };

type AddedRow = JournalRow & { readonly body: string };

/** A checkpoint that is being written: what was changed when it began, and is not stored yet. */
type RunningCheckpoint = {
  readonly firstRow: number;
  /** How many shards there are. */
  readonly shards: number;
  /** The shards to write, each with the keys of its items. */
  /** Items that were removed before it began. */
  readonly removedKeys: readonly string[];
  readonly queue: { readonly shard: number; readonly keys: readonly string[] }[];
};

/** @see docs/decisions/0119-telemetry-that-fits.md */
export class TelemetryStore {
  readonly #database: SqlDatabase;
  /** Rows that are needed after a start, oldest first. */
  #rows: readonly JournalRow[] = [];
  #freeSlots: number[] = [];
  #nextRow = 1;
  /** False until the start of counting is stored. */
  #hasCheckpoint = false;
  #checkpoint: RunningCheckpoint | null = null;
  #shards = 1;

  constructor(database: SqlDatabase, nowMs: number) {
    this.#database = database;
    migrate(database, telemetrySchema, nowMs);
  }

  /**
   * Reads the stored state, and the journal to apply to it. What cannot be read is left out: the object must start.
   */
  load(nowMs: number): { readonly state: TelemetryState; readonly journal: readonly StoredLine[] } {
    const state = newTelemetryState(nowMs);
    const firstRow = this.#readCheckpoint(state);
    for (const { key, body } of this.#database.exec("SELECT key, body FROM items")) {
      for (const item of attempt(() => readItems(String(body)), `shard ${key}`) ?? []) {
        const known = state.items.get(item.key);
        if (known !== undefined && known.storedLine >= item.storedLine) continue;
        if (known !== undefined) state.room.add(known, -1);
        putItem(state, item);
      }
    }
    const journal = this.#readJournal(firstRow);
    if (addShards(this.#database, state)) this.#storeShards(state);
    return { state, journal };
  }

  /**
   * Saves deltas that were applied to the state since the last save, and a part of a checkpoint if one is due. If it
   * throws, nothing was saved.
   */
  save(state: TelemetryState, lines: readonly JournalLine[]): void {
    const added = this.#rowsOf(lines);
    const checkpoint = this.#checkpoint ?? this.#dueCheckpoint(state, added);
    const written = checkpoint === null ? [] : nextShards(state, checkpoint, added);
    const isComplete = checkpoint !== null && written.length === checkpoint.queue.length;
    const firstRow = isComplete ? checkpoint.firstRow : this.#hasCheckpoint ? null : 1;
    const shards = isComplete ? checkpoint.shards : this.#shards;
    this.#database.transactionSync(() => {
      const rows = added.map(({ slot, number, body }) => [slot, number, body]);
      upsert(this.#database, "journal", ["slot", "number", "body"], rows);
      upsert(
        this.#database,
        "items",
        ["key", "body"],
        written.map(({ key, body }) => [key, body]),
      );
      if (firstRow !== null) this.#writeCheckpoint(state, firstRow, shards);
    });
    this.#hasCheckpoint = true;
    this.#nextRow += added.length;
    this.#freeSlots = this.#freeSlots.filter((slot) => !added.some((row) => row.slot === slot));
    this.#rows = [
      ...this.#rows,
      ...added.map(({ slot, number, characters }) => ({ slot, number, characters })),
    ];
    for (const { keys } of written) markStored(state, keys);
    checkpoint?.queue.splice(0, written.length);
    this.#shards = shards;
    this.#checkpoint = isComplete ? null : checkpoint;
    if (!isComplete) return;
    for (const key of checkpoint.removedKeys) state.removedKeys.delete(key);
    this.#freeRowsBefore(checkpoint.firstRow);
  }

  #dueCheckpoint(state: TelemetryState, added: readonly AddedRow[]): RunningCheckpoint | null {
    const rows = [...this.#rows, ...added];
    const characters = rows.reduce((sum, row) => sum + row.characters, 0);
    if (rows.length < checkpointRows && characters < checkpointCharacters) return null;
    const shards = Math.max(this.#shards, shardsFor(state));
    const changed = new Set([...state.changedKeys, ...state.removedKeys].map((key) => shardOf(key, shards)));
    const keysByShard = Map.groupBy(state.items.keys(), (key) => shardOf(key, shards));
    const isWritten = shards === this.#shards ? (shard: number) => changed.has(shard) : () => true;
    const queue = Array.from({ length: shards }, (_, shard) => ({
      shard,
      keys: keysByShard.get(shard) ?? [],
    }));
    return {
      firstRow: this.#nextRow + added.length,
      shards,
      removedKeys: [...state.removedKeys],
      queue: queue.filter(({ shard }) => isWritten(shard)),
    };
  }

  #writeCheckpoint(state: TelemetryState, firstRow: number, shards: number): void {
    const { sinceMs, line, lastSeqs } = state;
    const stored: StoredCheckpoint = { sinceMs, line, firstRow, shards, seqs: [...lastSeqs] };
    upsert(this.#database, "checkpoint", ["number", "body"], [[1, JSON.stringify(stored)]]);
    this.#database.exec("DELETE FROM items WHERE key NOT LIKE ?", `%/${shards}`);
  }

  #freeRowsBefore(firstRow: number): void {
    for (const { slot, number } of this.#rows) if (number < firstRow) this.#freeSlots.push(slot);
    this.#rows = this.#rows.filter(({ number }) => number >= firstRow);
  }

  /** The journal rows of lines: a long line takes several, short ones share one. */
  #rowsOf(lines: readonly JournalLine[]): readonly AddedRow[] {
    const bodies = cut(lines.map(lineText).join(""));
    const slots = this.#rows.length + this.#freeSlots.length;
    return bodies.map((body, at) => {
      const slot = this.#freeSlots[at] ?? slots + 1 + at - this.#freeSlots.length;
      return { slot, number: this.#nextRow + at, characters: body.length, body };
    });
  }

  /** @returns the number of the first journal row after the checkpoint */
  #readCheckpoint(state: TelemetryState): number {
    const [row] = this.#database.exec("SELECT body FROM checkpoint");
    if (row === undefined) return 1;
    const stored = attempt(() => JSON.parse(String(row.body)) as StoredCheckpoint, "the checkpoint");
    if (stored === null) return 1;
    this.#hasCheckpoint = true;
    this.#shards = stored.shards;
    state.sinceMs = stored.sinceMs;
    state.line = stored.line;
    for (const [isolate, seq] of stored.seqs) state.lastSeqs.set(isolate, seq);
    return stored.firstRow;
  }

  #readJournal(firstRow: number): readonly StoredLine[] {
    const rows = this.#database.exec("SELECT slot, number, body FROM journal ORDER BY number");
    const needed = rows.filter(({ number }) => Number(number) >= firstRow);
    this.#rows = needed.map(({ slot, number, body }) => ({
      slot: Number(slot),
      number: Number(number),
      characters: String(body).length,
    }));
    this.#freeSlots = rows.filter(({ number }) => Number(number) < firstRow).map(({ slot }) => Number(slot));
    this.#nextRow = Math.max(firstRow, 1 + Number(rows.at(-1)?.number ?? 0));
    const lines = needed
      .map(({ body }) => String(body))
      .join("")
      .split(lineEnd);
    return lines
      .slice(0, -1)
      .flatMap((text) => attempt(() => readLine(text), "a delta of the journal") ?? []);
  }

  /** Stores what came from shards and removes them: once, so in one go. */
  #storeShards(state: TelemetryState): void {
    this.#database.transactionSync(() => {
      const shards = Math.max(this.#shards, shardsFor(state));
      const rows = [...Map.groupBy(state.items.values(), ({ key }) => shardOf(key, shards))].map(
        ([shard, items]) => [
          rowKey(shard, shards),
          textOf(items, ({ storedLine }) => Math.max(0, storedLine)),
        ],
      );
      upsert(this.#database, "items", ["key", "body"], rows);
      this.#writeCheckpoint(state, this.#rows[0]?.number ?? this.#nextRow, shards);
      this.#shards = shards;
      for (const table of ["shards", "head"]) this.#database.exec(`DELETE FROM ${table}`);
    });
    for (const key of state.changedKeys) {
      const item = state.items.get(key);
      if (item !== undefined) item.storedLine = Math.max(0, item.storedLine);
    }
    state.changedKeys.clear();
  }
}

function lineText({ line, receivedMs, waitedMs, text }: JournalLine): string {
  return `[${line},${receivedMs},${waitedMs},${text}]${lineEnd}`;
}

function readLine(stored: string): StoredLine {
  const [line, receivedMs, waitedMs, delta] = JSON.parse(stored);
  return { line, receivedMs, waitedMs, delta };
}

/** Pieces of a row's length; no pair of surrogates is cut in two. */
function cut(text: string): readonly string[] {
  const pieces: string[] = [];
  for (let from = 0; from < text.length; from += pieces.at(-1)?.length ?? 0) {
    const piece = text.slice(from, from + maxRowCharacters);
    pieces.push(/[\ud800-\udbff]$/.test(piece) && piece.length > 1 ? piece.slice(0, -1) : piece);
  }
  return pieces;
}

/** The number of shards for what is counted: a power of two, so that it seldom changes. */
function shardsFor({ items }: TelemetryState): number {
  let characters = 0;
  for (const item of items.values()) characters += itemCharacters(item);
  return Math.min(maxShards, 2 ** Math.ceil(Math.log2(Math.max(1, characters / shardCharacters))));
}

function shardOf(key: string, shards: number): number {
  return (fnv1a(key) >>> 0) % shards;
}

function rowKey(shard: number, shards: number): string {
  return `${shard}/${shards}`;
}

function textOf(items: readonly TelemetryItem[], lineOf: (item: TelemetryItem) => number): string {
  return `[${items.map((item) => itemText(item, lineOf(item))).join(",")}]`;
}

type WrittenShard = { readonly key: string; readonly body: string; readonly keys: readonly string[] };

/** The next shards of a checkpoint, as many as a save may write. */
function nextShards(
  { items, line }: TelemetryState,
  { queue, shards }: RunningCheckpoint,
  added: readonly AddedRow[],
): readonly WrittenShard[] {
  const journaled = added.reduce((sum, { characters }) => sum + characters, 0);
  const maxCharacters = Math.max(minItemCharacters, journaled);
  const written: WrittenShard[] = [];
  let characters = 0;
  for (const { shard, keys } of queue) {
    if (characters >= maxCharacters) break;
    const present = keys.flatMap((key) => items.get(key) ?? []);
    const body = textOf(present, () => line);
    characters += body.length;
    written.push({ key: rowKey(shard, shards), body, keys });
  }
  return written;
}

function markStored({ items, line, changedKeys }: TelemetryState, keys: readonly string[]): void {
  for (const key of keys) {
    changedKeys.delete(key);
    const item = items.get(key);
    if (item !== undefined) item.storedLine = line;
  }
}

/** The result of `work`; null if it throws, which is logged. */
function attempt<T>(work: () => T, what: string): T | null {
  try {
    return work();
  } catch (error) {
    console.error({ message: `telemetry: cannot read ${what}`, error: String(error) });
    return null;
  }
}

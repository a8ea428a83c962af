import { expect, test } from "vitest";
import { printTable } from "../../../../src/domain/table/text.ts";
import { type Sealed, SealedCopies } from "../../../../src/proxy/routing/sealed-copy.ts";
import { tableOf } from "../../../support/dataplane.ts";

const token = "an-operator-token-of-the-mesh";
const copy = {
  text: printTable(tableOf(3)),
  keys: { cookieKey: "cookie secret", gatewayKeys: [{ id: "k1", secret: "gateway secret" }] },
  asOfMs: 1_700_000_000_000,
};

/** A cache that others can read and write. */
class OpenStore {
  readonly entries = new Map<string, Sealed>();
  readonly get = async (address: string) => this.entries.get(address) ?? null;
  readonly put = async (address: string, sealed: Sealed) => {
    this.entries.set(address, sealed);
  };
}

async function storeWithCopy(): Promise<OpenStore> {
  const store = new OpenStore();
  await new SealedCopies(store, token, "waggle").write(copy);
  return store;
}

test("[X182] a copy reads back, in another isolate of the mesh", async () => {
  const store = await storeWithCopy();
  expect(await new SealedCopies(store, token, "waggle").read()).toEqual(copy);
});

test("[X182] the cache shows nothing of the table and its keys, and its address comes from the token", async () => {
  const store = await storeWithCopy();
  const [[address, { bytes }] = ["", { bytes: new Uint8Array() }]] = store.entries;
  const shown = `${address} ${new TextDecoder("latin1").decode(bytes)}`;
  for (const secret of ["cookie secret", "gateway secret", token, "waggle-table", "node1"])
    expect(shown).not.toContain(secret);
  expect(address).toMatch(/^[0-9a-f]{32}$/);
  await new SealedCopies(store, "another-token-of-the-mesh", "waggle").write(copy);
  await new SealedCopies(store, token, "another-mesh").write(copy);
  expect(new Set(store.entries.keys()).size).toBe(3);
});

test("[X182] a copy that was changed, or is of another mesh, token or time, is not used", async () => {
  const store = await storeWithCopy();
  const [[address, sealed] = ["", { asOfMs: 0, bytes: new Uint8Array() }]] = store.entries;
  const read = async (entry: Sealed, secret = token, mesh = "waggle") => {
    const copies = new SealedCopies({ get: async () => entry, put: store.put }, secret, mesh);
    return copies.read();
  };
  expect(await read(sealed)).toEqual(copy);
  for (const at of [0, 12, 40, sealed.bytes.length - 1]) {
    const bytes = new Uint8Array(sealed.bytes);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    expect(await read({ ...sealed, bytes })).toBeNull();
  }
  for (const length of [0, 5, 12, 20]) {
    expect(await read({ ...sealed, bytes: sealed.bytes.slice(0, length) })).toBeNull();
  }
  expect(await read({ ...sealed, asOfMs: sealed.asOfMs + hourMs })).toBeNull();
  expect(await read(sealed, "another-token-of-the-mesh")).toBeNull();
  expect(await read(sealed, token, "another-mesh")).toBeNull();
  expect(await read({ ...sealed, asOfMs: Number.NaN })).toBeNull();
  expect(address).not.toBe("");
});

const hourMs = 3_600_000;

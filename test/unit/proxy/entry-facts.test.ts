import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sealFacts } from "../../../src/local/listener-profile.ts";
import { readSecrets } from "../../../src/local/state-folder.ts";
import { type EntryFacts, EntrySeals } from "../../../src/proxy/entry-facts.ts";

const facts: EntryFacts = { role: "edge", node: null, port: 8080, client: "2001:db8::1", scheme: "http" };

test("[U80] sealed facts read back, and the second time without waiting", async () => {
  const seals = new EntrySeals("secret");
  for (const sealed of [facts, { ...facts, role: "ingress", node: "n1", port: null } as const]) {
    const header = sealFacts(sealed, "secret");
    expect(await seals.open(header)).toEqual(sealed);
    expect(seals.open(header)).toEqual(sealed);
  }
});

test.each([
  ["another client", (header: string) => header.replace("2001:db8::1", "2001:db8::2")],
  ["another role", (header: string) => header.replace("edge", "control")],
  ["another port", (header: string) => header.replace("8080", "8081")],
  ["a shorter seal", (header: string) => header.slice(0, -2)],
  ["a longer seal", (header: string) => `${header}AA`],
  ["no seal", (header: string) => header.slice(0, header.lastIndexOf(" "))],
  ["an empty header", () => ""],
  ["a seal that is no base64", (header: string) => header.replace(/.$/, "%")],
])("[U80] a seal is worth nothing for %s", async (_name, change) => {
  expect(await new EntrySeals("secret").open(change(sealFacts(facts, "secret")))).toBeNull();
});

test("[U80] a seal of another start is worth nothing", async () => {
  expect(await new EntrySeals("secret").open(sealFacts(facts, "earlier secret"))).toBeNull();
});

test("[U80] the key is new at each start, and not in the state folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "waggle-secrets-"));
  const first = readSecrets(folder);
  const second = readSecrets(folder);
  expect(second.token).toBe(first.token);
  expect(second.entryKey).not.toBe(first.entryKey);
  expect(readFileSync(join(folder, "secrets.json"), "utf8")).not.toContain(second.entryKey);
});

// The link of a machine's data plane to the mesh, and its relay, over real sockets.

import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PartsHash, tableHash } from "../../../src/domain/table/parts-hash.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { RouterLink } from "../../../src/local/router-link.ts";
import { RouterRelay } from "../../../src/local/router-relay.ts";
import { until } from "../../support/until.ts";

const membership = { nodeId: "n".repeat(25), credential: "waggle-node-secret" };

function sentTable(version: number) {
  const text = printTable({ version, nodes: [], services: [], defaultService: null, signingKey: null });
  const gatewayKeys = [{ id: "k1", secret: "s".repeat(50) }];
  const mesh = { name: "waggle", domain: "" };
  return { version, text, cookieKey: "c".repeat(50), gatewayKeys, tokenMarks: ["32.000000"], mesh };
}

let stateDir: string;
let control: Server;
/** The queries of all polls. */
let polls: string[];
/** The table of the mesh; null: the credential is refused. */
let current: ReturnType<typeof sentTable> | null;
/** The change from version 5; null: the mesh sends whole tables. */
let change: string | null;
/** The version that the data plane routes by after each table. */
let routed: (version: number) => number;
let lines: string[];
const links: RouterLink[] = [];

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "waggle-link-"));
  [polls, lines, current, change, routed] = [[], [], sentTable(5), null, (version) => version];
  control = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://mesh");
    polls.push(decodeURIComponent(searchParams.toString()));
    const isOwn = request.headers.authorization === `Bearer ${membership.credential}`;
    if (current === null || !isOwn) return response.writeHead(401).end("{}");
    const isNewer = current.version > Number(searchParams.get("after"));
    const { version, mesh, tokenMarks } = current;
    const older = { version, text: null, tokenMarks, mesh };
    const isKnown = change !== null && searchParams.get("after") === "5" && searchParams.has("formats");
    const end = () =>
      response.end(JSON.stringify(isNewer ? { ...current, ...(isKnown && { text: change }) } : older));
    // A waiting poll ends with the test.
    if (isNewer || searchParams.get("wait") === "0") end();
  });
  await new Promise<void>((resolve) => control.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.stop()));
  control.closeAllConnections();
  control.close();
  rmSync(stateDir, { recursive: true });
});

function newLink(): RouterLink {
  const link = new RouterLink({
    url: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
    membership,
    stateDir,
    onTable: async (_saved, { version }) => routed(version),
    log: (line) => lines.push(line),
  });
  links.push(link);
  return link;
}

test("[O133] a machine polls with the version that its data plane routes by, and then waits for the next one", async () => {
  newLink().start();
  await until("a poll that waits", () => polls.includes("after=5&wait=25&formats=3,2"));
  expect(polls[0]).toBe("after=-1&wait=0&formats=3,2");
});

test("[O133] a table that the data plane does not route by yet is not acknowledged", async () => {
  routed = () => 4;
  newLink().start();
  await until("three polls", () => polls.length >= 3);
  expect(polls.filter((query) => query.startsWith("after=5"))).toEqual([]);
});

/** The change of an empty table. */
function changeText(version: number, hash: string): string {
  return ["waggle-change 3", "from 5", `to ${version} ${hash}`, "default -", "key -", ""].join("\n");
}

test("[M189] a machine applies a change to its table, and keeps the result", async () => {
  const link = newLink();
  link.start();
  await until("a poll that waits", () => polls.includes("after=5&wait=25&formats=3,2"));
  const table = { version: 6, defaultService: null, signingKey: null };
  [current, change] = [sentTable(6), changeText(6, tableHash(table, PartsHash.empty()))];
  control.closeAllConnections();
  await until("the next table", () => link.held?.version === 6);
  expect(link.held?.text).toBe(sentTable(6).text);
  await until("the acknowledgement", () => polls.includes("after=6&wait=25&formats=3,2"));
  await link.stop();
  expect(newLink().held?.text).toBe(sentTable(6).text);
});

test("[M190] a machine that cannot apply a change fetches the whole table, and acknowledges its own meanwhile", async () => {
  const link = newLink();
  link.start();
  await until("a poll that waits", () => polls.includes("after=5&wait=25&formats=3,2"));
  [current, change] = [sentTable(6), changeText(6, "0000000000000000")];
  control.closeAllConnections();
  await until("the next table", () => link.held?.version === 6);
  expect(polls).toContain("after=5&wait=25");
  expect(lines.join()).toContain("it does not lead to version 6 as it names it; the whole table is fetched");
});

test("[O253] the mark of a token that was replaced comes with a poll that brings no table, and outlives a restart", async () => {
  const link = newLink();
  const relay = await RouterRelay.open(link, "key");
  const askMarks = async () => {
    const headers = { authorization: "Bearer key" };
    const response = await fetch(`${relay.url}/mesh/router/table?after=5&wait=0`, { headers });
    return ((await response.json()) as { readonly tokenMarks?: unknown }).tokenMarks;
  };
  // The first poll after a start does not wait.
  link.start();
  await until("the first marks", async () => String(await askMarks()) === "32.000000");
  await link.stop();
  current = { ...sentTable(5), tokenMarks: ["40.ffffff"] };
  const next = newLink();
  next.start();
  await until("the second marks", () => String(next.held?.tokenMarks) === "40.ffffff");
  await next.stop();
  expect(newLink().held?.tokenMarks).toEqual(["40.ffffff"]);
  relay.close();
});

test("[O135] the last table is read again at a start, before the mesh responds, and only by its own machine", async () => {
  newLink().start();
  const file = join(stateDir, "router.json");
  await until("the file", () => existsSync(file));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(newLink().held).toMatchObject(sentTable(5));
  const options = { url: "http://127.0.0.1:1", stateDir, onTable: async () => 0, log: () => {} };
  const other = { ...membership, nodeId: "m".repeat(25) };
  expect(new RouterLink({ ...options, membership: other }).held).toBeNull();
});

test("[O132] a removed machine deletes its table, and polls no more", async () => {
  const link = newLink();
  link.start();
  await until("a poll that waits", () => polls.includes("after=5&wait=25&formats=3,2"));
  await link.stop();
  current = null;
  const again = newLink();
  again.start();
  await until("the end", () => again.problem === "this machine was removed");
  expect(existsSync(join(stateDir, "router.json"))).toBe(false);
});

test("[O135] a registry with an older table is a problem that says so", async () => {
  const link = newLink();
  link.start();
  await until("a table", () => link.held !== null);
  await link.stop();
  current = sentTable(3);
  const again = newLink();
  again.start();
  await until("the problem", () => again.problem?.includes("table version 3, older than 5"));
  expect(again.held?.version).toBe(5);
});

test("[O132] the relay serves the data plane of its machine only", async () => {
  const link = newLink();
  const relay = await RouterRelay.open(link, "the-key");
  const ask = async (path: string, key: string, method = "GET"): Promise<number> => {
    const headers = { authorization: `Bearer ${key}` };
    return (await fetch(relay.url + path, { method, headers })).status;
  };
  const table = "/mesh/router/table?after=-1";
  expect([
    await ask(table, "the-kez"),
    await ask(table, ""),
    await ask(table, membership.credential),
  ]).toEqual([401, 401, 401]);
  // No table has come yet.
  expect(await ask(table, "the-key")).toBe(503);
  link.start();
  await until("a table", async () => (await ask(table, "the-key")) === 200);
  expect(await ask("/mesh/router/other", "the-key", "POST")).toBe(404);
  expect(await ask("/mesh/router/suspects", "the-key")).toBe(404);
  relay.close();
});

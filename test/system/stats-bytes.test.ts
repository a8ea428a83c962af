// The bytes of the statistics next to those of a real HAProxy, for the same requests to the same server: bodies with a
// length, chunked ones, compressed ones, and those that stream.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HaproxyProcess } from "../support/haproxy.ts";
import { type CsvRow, csvRow, readCsv } from "../support/haproxy-csv.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const missing = missingPrograms(["haproxy"]);
const skipPrefix = missing.length === 0 ? "" : `skipped: not installed: ${missing.join(", ")}: `;

const text = "waggle ".repeat(3_000);
const compressed = gzipSync(text);

/** Responds by path; reads each body first. */
const server: Server = createServer(async (incoming, outgoing) => {
  let received = 0;
  for await (const chunk of incoming) received += (chunk as Buffer).length;
  outgoing.setHeader("x-received", received);
  if (incoming.url === "/length") return outgoing.end(text);
  if (incoming.url === "/gzip") outgoing.setHeader("content-encoding", "gzip");
  const body = incoming.url === "/gzip" ? compressed : Buffer.from(text);
  // Several writes make the body chunked.
  const half = Math.floor(body.length / 2);
  outgoing.write(body.subarray(0, half));
  setTimeout(() => outgoing.end(body.subarray(half)), 5);
});

type Exchange = {
  readonly path: string;
  readonly upload: "none" | "length" | "chunked";
  readonly bytes: number;
};

const uploaded = Buffer.alloc(10_000, "u");
/** Bytes of response bodies. */
const exchanges: readonly Exchange[] = [
  { path: "/length", upload: "none", bytes: text.length },
  { path: "/chunked", upload: "none", bytes: text.length },
  { path: "/gzip", upload: "none", bytes: compressed.length },
  { path: "/chunked", upload: "length", bytes: text.length },
  { path: "/chunked", upload: "chunked", bytes: text.length },
];
const rounds = 40;

let mesh: MeshProcess;
let haproxy: HaproxyProcess;
let ports: { readonly mesh: number; readonly haproxy: number; readonly stats: number };

/** The body of the response, as it was sent. */
function exchange(port: number, { path, upload }: Exchange): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = upload === "length" ? { "content-length": uploaded.length } : {};
    const method = upload === "none" ? "GET" : "POST";
    const outgoing = request({ host: "127.0.0.1", port, path, method, headers }, async (incoming) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      expect(incoming.headers["x-received"]).toBe(upload === "none" ? "0" : String(uploaded.length));
      resolve(Buffer.concat(chunks));
    });
    outgoing.on("error", reject);
    if (upload === "none") return outgoing.end();
    outgoing.write(uploaded.subarray(0, 4_000));
    setTimeout(() => outgoing.end(uploaded.subarray(4_000)), 5);
  });
}

describe.skipIf(missing.length > 0)(`${skipPrefix}the bytes of the statistics`, () => {
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const backend = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    ports = { mesh: await freePort(), haproxy: await freePort(), stats: await freePort() };
    mesh = await MeshProcess.start(["--nodes", "0"]);
    const added = await mesh.waggle("server", "add", "web", "a", backend, "-p", `${ports.mesh}:80`);
    expect(added, added.err).toMatchObject({ code: 0 });
    haproxy = await startHaproxy(backend);
    await until("the mesh to serve", async () => {
      const response = await fetch(`http://127.0.0.1:${ports.mesh}/length`).catch(() => null);
      return response?.status === 200 ? true : null;
    });
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await haproxy?.stop();
    await mesh?.remove();
  });

  test("[Z44] chunked, compressed and streamed bodies are counted, and a compressed one arrives as it was sent", async () => {
    const authorization = `Basic ${btoa(`any:${mesh.token}`)}`;
    const ours = async (): Promise<CsvRow> => {
      const response = await fetch(`http://127.0.0.1:${mesh.edgePort}/haproxy?stats;csv`, {
        headers: { authorization },
      });
      return csvRow(readCsv(await response.text()), "web", "a");
    };
    const theirs = async (): Promise<CsvRow> => {
      const response = await fetch(`http://127.0.0.1:${ports.stats}/haproxy?stats;csv`);
      return csvRow(readCsv(await response.text()), "web", "a");
    };
    const number = (row: CsvRow, column: string): number => Number(row[column]);
    const before = { ours: await countedRow(ours), theirs: await theirs() };
    for (let round = 0; round < rounds; round += 1) {
      for (const one of exchanges) {
        const [direct, through] = await Promise.all([
          exchange(ports.haproxy, one),
          exchange(ports.mesh, one),
        ]);
        expect(through.length).toBe(one.bytes);
        expect(through.equals(direct)).toBe(true);
        if (one.path === "/gzip") expect(gunzipSync(through).toString()).toBe(text);
      }
    }
    const out = rounds * exchanges.reduce((sum, { bytes }) => sum + bytes, 0);
    const into = rounds * uploaded.length * exchanges.filter(({ upload }) => upload !== "none").length;
    const current = await until("all bytes to be counted", async () => {
      const row = await ours();
      return number(row, "bout") - number(before.ours, "bout") >= out ? row : null;
    });
    const haproxyRow = await theirs();
    expect(number(current, "bout") - number(before.ours, "bout")).toBe(out);
    expect(number(current, "bin") - number(before.ours, "bin")).toBe(into);
    // HAProxy counts headers as well.
    const maxHeadBytes = 600 * rounds * exchanges.length;
    for (const [column, bytes] of [
      ["bout", out],
      ["bin", into],
    ] as const) {
      const counted = number(haproxyRow, column) - number(before.theirs, column);
      expect(counted).toBeGreaterThanOrEqual(bytes);
      expect(counted - bytes).toBeLessThan(maxHeadBytes);
    }
  });
});

/** The row once everything that was sent before is counted: two readings a flush apart are equal. */
async function countedRow(read: () => Promise<CsvRow>): Promise<CsvRow> {
  let last = await read();
  return until("the counters to rest", async () => {
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const next = await read();
    const rests = next.bout === last.bout && Number(next.bout) > 0;
    last = next;
    return rests ? next : null;
  });
}

async function startHaproxy(backend: string): Promise<HaproxyProcess> {
  const folder = mkdtempSync(join(tmpdir(), "waggle-haproxy-"));
  const lines = [
    "defaults\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s",
    `listen stats\n  bind 127.0.0.1:${ports.stats}\n  stats enable\n  stats uri /haproxy?stats`,
    `listen web\n  bind 127.0.0.1:${ports.haproxy}\n  server a ${backend}`,
  ];
  const haproxy = await HaproxyProcess.start(folder, "web", `${lines.join("\n")}\n`);
  if (haproxy === null) throw new Error("HAProxy refuses the configuration");
  rmSync(folder, { recursive: true, force: true });
  return haproxy;
}

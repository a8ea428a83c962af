// `fetch` and `connect` of a Worker under the rules of Cloudflare's platform, in workerd.

import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { expect, test } from "vitest";
import { PlatformNetwork } from "../../src/local/platform-network.ts";
import { startedParts } from "../support/started-parts.ts";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const use = startedParts();

/** A Worker whose requests name what it does: fetches URLs at once, reads a body, or connects to an address. */
const program = `
  import { env } from "cloudflare:workers";
  import { restrictFetch, runInvocation } from "./workers/platform/outbound-fetch.ts";
  import { connect } from "./workers/platform/restricted-sockets.ts";
  restrictFetch(env);
  const fetchAll = async (urls) => (await Promise.all(urls.map((url) => fetch(url)))).map(({ status }) => status);
  const read = async (url, encodeResponseBody) =>
    [...new Uint8Array(await (await fetch(url, { encodeResponseBody })).arrayBuffer())];
  const open = async (address) => {
    const socket = connect(address, {});
    await socket.opened;
    await socket.close();
    return "opened";
  };
  export default {
    fetch: (request) => runInvocation(async () => {
      const { urls, address, url, encodeResponseBody } = await request.json();
      const done = urls ? fetchAll(urls) : url ? read(url, encodeResponseBody) : open(address);
      return Response.json(await done.catch((error) => error.message));
    }),
  };`;

async function startWorker() {
  const network = await PlatformNetwork.open({ authority: "" });
  await use(Promise.resolve({ stop: () => network.close() }));
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: root, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    external: ["cloudflare:*", "node:*"],
  });
  const text = (value: string) => ({ type: "json" as const, value });
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    logRequests: false,
    workers: [
      {
        config: {
          name: "worker",
          compatibilityDate: "2026-11-01",
          manifest: {
            mainModule: "worker.mjs",
            modulesRoot: "/",
            modules: { "worker.mjs": { type: "esm", contents: outputFiles[0]?.text ?? "" } },
          },
          env: { NETWORK_URL: text(network.access.url), NETWORK_SECRET: text(network.access.secret) },
        },
      },
    ],
  });
  const url = await miniflare.ready;
  await use(Promise.resolve({ stop: () => miniflare.dispose() }));
  return async (work: object): Promise<unknown> => {
    const response = await fetch(url, { method: "POST", body: JSON.stringify(work) });
    return response.json();
  };
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await use(Promise.resolve({ stop: async () => void server.close() }));
  return (server.address() as AddressInfo).port;
}

test("[U433] a Worker's seventh request leaves when one of the first six has its response", async () => {
  const run = await startWorker();
  const waiting: ServerResponse[] = [];
  let received = 0;
  const port = await listening(
    createServer((_, response) => {
      received += 1;
      waiting.push(response);
    }),
  );
  const urls = Array.from({ length: 8 }, (_, index) => `http://127-0-0-1.edge.test:${port}/${index}`);
  const statuses = run({ urls });
  await until("six requests", () => received === 6);
  waiting.shift()?.end("first");
  await until("the seventh request", () => received === 7);
  expect(waiting).toHaveLength(6);
  for (const response of waiting.splice(0)) response.end();
  await until("the eighth request", () => received === 8);
  waiting[0]?.end();
  expect(await statuses).toEqual(urls.map(() => 200));
});

test("[X200] a Worker that asks for the body of a response as it is encoded gets its bytes", async () => {
  const run = await startWorker();
  const zipped = gzipSync("hello hello hello");
  const port = await listening(
    createServer((_, response) => response.setHeader("content-encoding", "gzip").end(zipped)),
  );
  const url = `http://127-0-0-1.edge.test:${port}/`;
  expect(await run({ url, encodeResponseBody: "manual" })).toEqual([...zipped]);
  expect(await run({ url, encodeResponseBody: "automatic" })).toEqual([...Buffer.from("hello hello hello")]);
});

test("[U444] a Worker connects to names of the test zone, and to no private address and no mail port", async () => {
  const run = await startWorker();
  const port = await listening(createTcpServer((socket) => socket.on("error", () => undefined).resume()));
  expect(await run({ address: { hostname: "127-0-0-1.edge.test", port } })).toBe("opened");
  const refusal = "proxy request failed, cannot connect to the specified address";
  for (const hostname of ["127.0.0.1", "10.0.0.7", "::1"])
    expect(await run({ address: { hostname, port } })).toBe(refusal);
  expect(await run({ address: { hostname: "127-0-0-1.edge.test", port: 25 } })).toBe(refusal);
});

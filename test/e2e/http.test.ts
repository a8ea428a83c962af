// HTTP through a whole mesh: listener, runtime, data plane and task.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const program = fileURLToPath(new URL("../support/chaos-http-task.ts", import.meta.url));
const mebibyte = 1024 ** 2;

/** The state that the task reports. */
type TaskState = { aborted: number; written: number; requests: number; closes: [number, string][] };
type ReceivedResponse = {
  status: number;
  headers: IncomingMessage["headers"];
  rawHeaders: string[];
  body: string;
};

let mesh: MeshProcess;
let port: number;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "waggle-http-"));
  const images = join(folder, "images.json");
  writeFileSync(images, JSON.stringify({ "test/http": { command: [process.execPath, program] } }));
  mesh = await MeshProcess.start(["--empty", "--nodes", "1", "--images", images]);
  port = await freePort();
  const created = await mesh.waggle("service", "create", "--name", "http", "-p", `${port}:80`, "test/http");
  expect(created, created.err).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await mesh?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends a request and reads the whole response. */
function send(path: string, options: RequestOptions = {}, body?: string | Buffer): Promise<ReceivedResponse> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, headers, rawHeaders } = response;
        resolve({ status: statusCode, headers, rawHeaders, body: Buffer.concat(chunks).toString() });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function taskState(): Promise<TaskState> {
  const { status, body } = await send("/observed");
  if (status !== 200) throw new Error(`${status} ${body}`);
  return JSON.parse(body) as TaskState;
}

/** Sends bytes over a socket, and reads until `isComplete` holds or the peer closes. */
function raw(bytes: string, isComplete: (read: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    let read = "";
    socket.on("data", (chunk) => {
      read += chunk.toString("latin1");
      if (isComplete(read)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(read));
  });
}

test("[Q1] a task's early refusal of an upload reaches the client while it still sends", async () => {
  const head = "POST /early HTTP/1.1\r\nHost: http\r\nContent-Length: 50000000\r\n\r\n";
  const response = await raw(head + "x".repeat(100_000), (read) => read.includes("says the task"));
  expect(response).toMatch(/^HTTP\/1\.1 413 /);
});

test("[Q2] a client that disconnects from a streaming response ends it at the task", async () => {
  const before = (await taskState()).aborted;
  await new Promise<void>((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path: "/endless", agent: false }, (response) => {
      response.on("error", () => undefined);
      response.once("data", () => {
        request.destroy();
        resolve();
      });
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET") reject(error);
    });
    request.end();
  });
  await until("the task notices", async () => (await taskState()).aborted === before + 1);
});

test("[Q3] the mesh responds to Expect: 100-continue, and the body then arrives whole", async () => {
  const read = await new Promise<string>((resolve, reject) => {
    let text = "";
    let hasSentBody = false;
    const socket = connect(port, "127.0.0.1", () =>
      socket.write("POST /count HTTP/1.1\r\nHost: http\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
    );
    socket.on("data", (chunk) => {
      text += chunk.toString();
      if (!hasSentBody && text.startsWith("HTTP/1.1 100 ")) {
        hasSentBody = true;
        socket.write("hello");
      }
      if (text.includes("}")) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
  expect(read).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  expect(read).toContain('{"bytes":5,"expect":null}');
});

test("[Q4] range requests work: 206 with the part, 416 with the size", async () => {
  const part = await send("/range", { headers: { range: "bytes=2-5" } });
  expect(part).toMatchObject({ status: 206, body: "2345" });
  expect(part.headers).toMatchObject({
    "content-range": "bytes 2-5/10",
    "content-length": "4",
    etag: '"ten"',
  });
  const unsatisfiable = await send("/unsatisfiable", { headers: { range: "bytes=20-30" } });
  const { status, headers, body } = unsatisfiable;
  expect([status, headers["content-range"], body]).toEqual([416, "bytes */10", ""]);
});

test("[Q5] after responses without a body the connection stays usable: HEAD with a length, 204, 304, empty", async () => {
  const request = (line: string, isLast = false) =>
    `${line} HTTP/1.1\r\nHost: http\r\n${isLast ? "Connection: close\r\n" : ""}\r\n`;
  const lines = ["HEAD /sized", "GET /nothing", "GET /unchanged", "GET /empty"];
  const read = await raw(`${lines.map((line) => request(line)).join("")}${request("GET /url", true)}`);
  const statuses = [...read.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1]);
  expect(statuses).toEqual(["200", "204", "304", "200", "200"]);
  expect(read.split("\r\n\r\n")[0]?.toLowerCase()).toContain("content-length: 12345");
  expect(read.trimEnd().endsWith("4")).toBe(true);
});

test("[Q6] a hundred cookies and repeated headers arrive one by one, in order", async () => {
  const { headers } = await send("/cookies");
  expect(headers["set-cookie"]).toHaveLength(100);
  expect(headers["set-cookie"]?.[99]).toBe("c99=v99; Path=/; HttpOnly");
  expect(headers["x-list"]).toBe("a, b");
  const cookie = Array.from({ length: 100 }, (_, index) => `c${index}=v${index}`).join("; ");
  const echo = await send("/headers", { headers: { cookie, "x-list": ["a", "b"] } });
  const pairs = JSON.parse(echo.body) as string[];
  const value = (name: string) =>
    pairs.filter((_, index) => index % 2 === 1 && pairs[index - 1]?.toLowerCase() === name).join(", ");
  expect(value("cookie")).toBe(cookie);
  expect(value("x-list")).toBe("a, b");
});

test("[Q7] a URL of 16 KiB and headers of 60 KiB are accepted; headers above 64 KiB are 431", async () => {
  const path = `/url?${"q".repeat(16_384 - 5)}`;
  expect(await send(path)).toMatchObject({ status: 200, body: "16384" });
  const sendLarge = (bytes: number) => send("/empty", { headers: { "x-large": "v".repeat(bytes) } });
  expect((await sendLarge(60_000)).status).toBe(200);
  const refused = await sendLarge(70_000);
  expect(refused).toMatchObject({ status: 431 });
  expect(refused.body).toContain("64 KiB");
});

test("[Q8] WebSocket close codes and reasons arrive in both directions", async () => {
  const open = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return socket;
  };
  const closing = await open();
  const closed = new Promise((resolve) =>
    closing.once("close", (code, reason) => resolve([code, reason.toString()])),
  );
  closing.send("close 4001 enough");
  expect(await closed).toEqual([4001, "enough"]);
  (await open()).close(4002, "leaving");
  await until("the task sees the close", async () =>
    (await taskState()).closes.some(([code, reason]) => code === 4002 && reason === "leaving"),
  );
});

test("[Q23] a WebSocket connection that breaks on one side ends on the other", async () => {
  const open = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.on("error", () => undefined);
    return socket;
  };
  const broken = await open();
  const ended = new Promise((resolve) => broken.once("close", resolve));
  broken.send("break");
  expect(await ended).toBe(1006);
  const before = (await taskState()).closes.length;
  (await open()).terminate();
  await until("the task sees the close", async () => (await taskState()).closes.length > before);
  expect((await taskState()).closes.at(-1)?.[0]).toBe(1006);
});

test("[Q22] only trailers are lost, in both directions", async () => {
  const head =
    "POST /trailers HTTP/1.1\r\nHost: http\r\nConnection: close\r\nTE: trailers\r\nTrailer: X-Sent\r\n";
  const read = await raw(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sent: 1\r\n\r\n`);
  expect(read).toMatch(/^HTTP\/1\.1 200 /);
  expect(read).toContain('{"body":"hello","trailers":{},"trailer":null}');
  expect(read).not.toMatch(/x-sum/i);
});

test("[Q9] server-sent events arrive one by one as the task sends them", async () => {
  const arrivals: number[] = [];
  await new Promise<void>((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path: "/events", agent: false }, (response) => {
      response.on("error", () => undefined);
      response.on("data", () => {
        arrivals.push(performance.now());
        if (arrivals.length < 30) return;
        request.destroy();
        resolve();
      });
    });
    request.on("error", reject);
    request.end();
  });
  // Sent every 100 ms. Buffered events would arrive together.
  expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(2_000);
});

test("[Q10] a slow client slows the task down: the mesh does not buffer", async () => {
  const size = 200 * mebibyte;
  const before = memory();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest({ host: "127.0.0.1", port, path: `/bytes/${size}`, agent: false }, resolve)
      .on("error", reject)
      .end();
  });
  response.pause();
  let lastWritten = -1;
  await until(
    "the task stops writing",
    async () => {
      const { written } = await taskState();
      const isBlocked = written === lastWritten;
      lastWritten = written;
      return isBlocked;
    },
    { everyMs: 500, withinMs: 15_000 },
  );
  expect(lastWritten).toBeLessThan(64 * mebibyte);
  expect(memory() - before).toBeLessThan(32 * mebibyte);
  response.on("error", () => undefined).destroy();
});

const smuggled: Readonly<Record<string, [string, RegExp]>> = {
  "Content-Length and Transfer-Encoding": [
    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    /^HTTP\/1\.1 400 /,
  ],
  "two Content-Lengths": ["Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", /^HTTP\/1\.1 400 /],
  "a list in Content-Length": ["Content-Length: 4, 4\r\n\r\nabcd", /^HTTP\/1\.1 400 /],
  "a signed Content-Length": ["Content-Length: +4\r\n\r\nabcd", /^HTTP\/1\.1 400 /],
  "an unknown transfer coding": ["Transfer-Encoding: xchunked\r\n\r\n", /^HTTP\/1\.1 501 /],
  "two transfer codings": [
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    /^HTTP\/1\.1 501 /,
  ],
  "a space before the colon": ["Content-Length : 4\r\n\r\nabcd", /^HTTP\/1\.1 400 /],
  "a folded header line": ["X-A: b\r\n Content-Length: 4\r\n\r\nabcd", /^HTTP\/1\.1 400 /],
  "a bare line feed": ["X-A: b\nContent-Length: 4\r\n\r\nabcd", /^HTTP\/1\.1 400 /],
  "a NUL": ["X-A: b\0c\r\n\r\n", /^HTTP\/1\.1 400 /],
  "two Host headers": ["Host: other\r\n\r\n", /^HTTP\/1\.1 400 /],
  "an invalid chunk size": ["Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n", /^HTTP\/1\.1 400 /],
};

test.for(Object.entries(smuggled))(
  "[Q11] a request with %s is refused, and the bytes after it are not read as another request",
  async ([_name, [lines, expected]]) => {
    const before = (await taskState()).requests;
    const next = "GET /url HTTP/1.1\r\nHost: http\r\n\r\n";
    const read = await raw(`POST /count HTTP/1.1\r\nHost: http\r\n${lines}${next}`);
    expect(read).toMatch(expected);
    expect(read.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    // One request is taskState's own. A request with an invalid chunk may have reached the task already.
    expect((await taskState()).requests - before).toBeLessThanOrEqual(lines.includes("0x4") ? 2 : 1);
  },
);

test("[Q12] long uploads and downloads stream: the runtime's memory grows by less than 64 MiB", async () => {
  const size = 256 * mebibyte;
  await send(`/bytes/${16 * mebibyte}`);
  await upload(16 * mebibyte);
  const before = memory();
  let maxGrowth = 0;
  const watch = setInterval(() => {
    maxGrowth = Math.max(maxGrowth, memory() - before);
  }, 50);
  const down = await download(size);
  const up = await upload(size);
  clearInterval(watch);
  expect([down, up]).toEqual([size, size]);
  expect(maxGrowth).toBeLessThan(64 * mebibyte);
});

function download(size: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, path: `/bytes/${size}`, agent: false },
      (response) => {
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
        });
        response.on("error", reject);
        response.on("end", () => resolve(bytes));
      },
    );
    request.on("error", reject);
    request.end();
  });
}

/** Uploads a chunked body. @returns the bytes that the task counted */
function upload(size: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/count", method: "POST", agent: false };
    const request = httpRequest(options, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve((JSON.parse(text) as { bytes: number }).bytes);
    });
    request.on("error", reject);
    const chunk = Buffer.alloc(65_536);
    let remaining = size;
    const writeMore = (): void => {
      while (remaining > 0) {
        remaining -= chunk.length;
        if (!request.write(chunk)) return void request.once("drain", writeMore);
      }
      request.end();
    };
    writeMore();
  });
}

/** Resident memory of the runtime, bytes. */
function memory(): number {
  return mesh
    .workerdPids()
    .map((pid) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024)
    .reduce((sum, bytes) => sum + bytes, 0);
}

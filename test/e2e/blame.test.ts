// Whose fault a failed upload is: the client's or the task's, on the real Workers runtime.

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import type { TableOptions } from "../../src/domain/table/table.ts";
import { type Backend, http } from "../support/backends.ts";
import { operatorToken, serviceOf, startPlane, type TestPlane, tableOf } from "../support/dataplane.ts";
import { isUnderPlatformRules } from "../support/mesh-process.ts";
import { startedParts } from "../support/started-parts.ts";
import { until } from "../support/until.ts";

const port = 8080;
const use = startedParts();

function planeOf(
  tasks: readonly Backend[],
  variables: Readonly<Record<string, string>> = {},
  options: TableOptions = {},
): Promise<TestPlane> {
  const origins = tasks.map(({ origin }) => origin);
  return use(startPlane(tableOf(1, serviceOf("my-web", port, origins, { options })), variables));
}

/** A task that responds with its name once it has the whole body. */
function named(name: string): Promise<Backend> {
  return use(http((request, response) => void request.resume().on("end", () => response.end(name))));
}

/** The ejected tasks, as this isolate's debug header lists them. */
async function ejected(plane: TestPlane): Promise<string | null> {
  const headers = { ...plane.entry({ port }), "x-waggle-debug": "1", "x-waggle-token": operatorToken };
  const response = await fetch(plane.origin, { headers });
  await response.text();
  return response.headers.get("x-waggle-ejected");
}

/** A client that sends the head of a request with a body, and bytes of its own choice. */
class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  /** Resolves when the bytes were sent. */
  readonly sent: Promise<unknown>;
  read = "";

  constructor(plane: TestPlane, method: string, framing: string, body: string | Buffer) {
    const { "x-waggle-entry": entry } = plane.entry({ port });
    const head = `${method} /up HTTP/1.1\r\nHost: a\r\nX-Waggle-Entry: ${entry}\r\n${framing}\r\n\r\n`;
    this.socket = connect(plane.port, "127.0.0.1");
    this.socket.write(head);
    this.sent = new Promise((resolve) => this.socket.write(body, resolve));
    this.socket.on("data", (bytes) => {
      this.read += bytes.toString("latin1");
    });
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
  }

  /** The status of the response, once it has begun. */
  async status(): Promise<number> {
    await until("a response", () => this.read.includes("\r\n\r\n"));
    return Number(this.read.split(" ")[1]);
  }
}

const part = "abc";
const long = Buffer.alloc(600_000, "a");
const framings = [
  ["a short body", "Content-Length: 1000", part],
  ["a body longer than is buffered", "Content-Length: 100000", part],
  ["a long body", "Content-Length: 1000000", long],
  ["a body of unknown length", "Transfer-Encoding: chunked", "3\r\nabc\r\n"],
  ["a long body of unknown length", "Transfer-Encoding: chunked", `927c0\r\n${long}\r\n`],
] as const;
const methods = ["POST", "PUT", "DELETE", "PATCH"];

/** True for a body that is whole before a task gets it: under the platform's rules of any method, see X197. */
const isBuffered = (method: string, framing: string): boolean =>
  framing === "Content-Length: 1000" && (isUnderPlatformRules || method === "PUT" || method === "DELETE");

test.each(framings)(
  "[Y39] a client that breaks off %s is not held against a task",
  async (_, framing, body) => {
    let [begun, broken] = [0, 0];
    const tasks = await Promise.all(
      ["a", "b"].map((name) =>
        use(
          http((request: IncomingMessage, response) => {
            if (request.method === "GET") return void response.end(name);
            begun += 1;
            request.once("aborted", () => {
              broken += 1;
            });
            request.resume().on("end", () => response.end(name));
          }),
        ),
      ),
    );
    const plane = await planeOf(tasks);
    for (const method of methods) {
      for (const end of ["destroy", "resetAndDestroy"] as const) {
        const before = broken;
        const client = new RawClient(plane, method, framing, body);
        // A buffered body reaches no task before it is whole.
        const hasTask = !isBuffered(method, framing);
        await client.sent;
        if (hasTask) await until("the request at a task", () => begun > broken);
        client.socket[end]();
        await client.closed;
        if (hasTask) await until("the task to notice", () => broken === before + 1);
        expect(await ejected(plane)).toBeNull();
      }
    }
  },
);

test.each(framings)(
  "[Y39] a client that ends %s early gets 400 with the reason",
  async (_, framing, body) => {
    const plane = await planeOf([await named("a"), await named("b")]);
    for (const method of methods) {
      const client = new RawClient(plane, method, framing, body);
      await client.sent;
      client.socket.end();
      expect(await client.status()).toBe(400);
      expect(client.read).toContain("the request body ended early");
    }
    expect(await ejected(plane)).toBeNull();
  },
);

test("[Y39] a chunked body that cannot be read is the client's 400", async () => {
  const plane = await planeOf([await named("a"), await named("b")]);
  for (const method of methods) {
    const client = new RawClient(plane, method, "Transfer-Encoding: chunked", "3\r\nabc\r\nzz\r\n");
    expect(await client.status()).toBe(400);
  }
  expect(await ejected(plane)).toBeNull();
});

test.each(framings)(
  "[Y40] a client that stalls in %s gets 408, and no task is blamed",
  async (_, framing, body) => {
    const plane = await planeOf([await named("a"), await named("b")], { BODY_TIMEOUT_MS: "300" });
    for (const method of methods) {
      const client = new RawClient(plane, method, framing, body);
      expect(await client.status()).toBe(408);
      expect(client.read).toContain("no byte of the request body came for 0.3 s");
      client.socket.destroy();
    }
    expect(await ejected(plane)).toBeNull();
  },
);

test("[Y33] the label sets the longest pause before the variable", async () => {
  const plane = await planeOf([await named("a")], { BODY_TIMEOUT_MS: "60000" }, { bodyTimeoutMs: 200 });
  const client = new RawClient(plane, "POST", "Content-Length: 10", part);
  expect(await client.status()).toBe(408);
  expect(client.read).toContain("for 0.2 s");
});

test("[Y40] a slow client that keeps sending is not cut off, buffered or streaming", async () => {
  const plane = await planeOf([await named("a")], { BODY_TIMEOUT_MS: "400" });
  for (const method of ["POST", "PUT"]) {
    const client = new RawClient(plane, method, "Content-Length: 10", "");
    for (let byte = 0; byte < 10; byte += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      client.socket.write("x");
    }
    expect(await client.status()).toBe(200);
    client.socket.destroy();
  }
});

test("[Y40] time in which the task does not read is not the client's", async () => {
  const size = 30_000_000;
  const slow = await use(
    http((request, response) => {
      request.pause();
      setTimeout(() => request.resume(), 1_500);
      request.on("end", () => response.end("read"));
    }),
  );
  const plane = await planeOf([slow], { BODY_TIMEOUT_MS: "300" });
  const client = new RawClient(plane, "POST", `Content-Length: ${size}`, Buffer.alloc(size));
  expect(await client.status()).toBe(200);
});

test("[Y43] after the response has begun its client may pause", async () => {
  const early = await use(
    http((request, response) => {
      response.write("begun;");
      request.resume().on("end", () => response.end("ended"));
    }),
  );
  const plane = await planeOf([early], { BODY_TIMEOUT_MS: "300" });
  const client = new RawClient(plane, "POST", "Content-Length: 6", part);
  await until("the response to begin", () => client.read.includes("begun;"));
  await new Promise((resolve) => setTimeout(resolve, 900));
  client.socket.write("def");
  await until("the end", () => client.read.includes("ended"));
});

test("[Y39] a task that breaks off an upload is ejected, and the client gets 502", async () => {
  const breaking = await use(
    http((request, response) => {
      if (request.method !== "POST") return void response.end("a");
      request.once("data", () => request.socket.destroy());
    }),
  );
  for (const [, framing, body] of framings.filter(([, framing]) => !isBuffered("POST", framing))) {
    const plane = await planeOf([breaking, breaking]);
    const client = new RawClient(plane, "POST", framing, body);
    // The client goes on sending: the task alone breaks off.
    expect(await client.status()).toBe(502);
    client.socket.destroy();
    expect(await ejected(plane)).toMatch(/for=\d+/);
  }
});

test.each([
  ["known", "Content-Length: 30000000", Buffer.alloc(30_000_000)],
  ["unknown", "Transfer-Encoding: chunked", Buffer.from(`1c9c380\r\n${"a".repeat(30_000_000)}\r\n0\r\n\r\n`)],
])(
  "[Y44] a task that stops reading a body of %s length and then breaks off gets the blame, every time",
  async (_, framing, body) => {
    const breaking = await use(
      http((request, response) => {
        if (request.method !== "POST") return void response.end("a");
        let bytes = 0;
        request.on("data", (chunk) => {
          bytes += chunk.length;
          // By then the rest of the body waits for the task.
          if (bytes > 2_000_000 && !request.isPaused()) {
            request.pause();
            setTimeout(() => request.socket.destroy(), 100);
          }
        });
      }),
    );
    for (let round = 0; round < 3; round += 1) {
      const plane = await planeOf([breaking, breaking]);
      const client = new RawClient(plane, "POST", framing, body);
      // The rest of the body resets the connection, perhaps before the client has read the response.
      await Promise.race([client.status(), client.closed]);
      if (client.read !== "") expect(await client.status()).toBe(502);
      client.socket.destroy();
      expect(await ejected(plane)).toMatch(/for=\d+/);
    }
  },
);

test("[Y44] a client that breaks off while the task does not read gets the blame", async () => {
  const paused: IncomingMessage[] = [];
  let broken = 0;
  const slow = await use(
    http((request, response) => {
      if (request.method !== "POST") return void response.end("a");
      paused.push(request.pause());
      request.once("aborted", () => {
        broken += 1;
      });
    }),
  );
  const plane = await planeOf([slow]);
  for (const [framing, body] of [
    ["Content-Length: 1000000", long],
    ["Transfer-Encoding: chunked", `927c0\r\n${long}\r\n`],
  ] as const) {
    for (const end of ["destroy", "resetAndDestroy"] as const) {
      const before = paused.length;
      const client = new RawClient(plane, "POST", framing, body);
      await client.sent;
      await until("the request at the task", () => paused.length > before);
      client.socket[end]();
      await client.closed;
      paused.at(-1)?.resume();
      await until("the task to notice", () => broken === paused.length);
      expect(await ejected(plane)).toBeNull();
    }
  }
});

test("[X41] a long upload arrives byte for byte, of known and of unknown length", async () => {
  const hashing = await use(
    http((request, response) => {
      const hash = createHash("sha256");
      request.on("data", (chunk) => hash.update(chunk)).on("end", () => response.end(hash.digest("hex")));
    }),
  );
  const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31) % 251));
  const expected = createHash("sha256").update(body).digest("hex");
  for (const options of [{}, { bodyTimeoutMs: 60_000 }]) {
    const plane = await planeOf([hashing], {}, options);
    const known = new RawClient(plane, "POST", `Content-Length: ${body.length}`, body);
    await until("the hash", () => known.read.includes(expected));
    const chunked = new RawClient(plane, "POST", "Transfer-Encoding: chunked", "");
    for (let at = 0; at < body.length; at += 70_001) {
      const chunk = body.subarray(at, at + 70_001);
      chunked.socket.write(`${chunk.length.toString(16)}\r\n`);
      chunked.socket.write(chunk);
      chunked.socket.write("\r\n");
    }
    chunked.socket.write("0\r\n\r\n");
    await until("the hash", () => chunked.read.includes(expected));
  }
});

test.each([
  ["a service", {}],
  ["a service with maxconn", { maxconn: 5 }],
])(
  "[X100] a client's reset reaches the task of %s at once, before the response begins",
  async (_, options) => {
    let [begun, ended] = [0, 0];
    const waiting = await use(
      http((request, response) => {
        request.resume();
        begun += 1;
        response.once("close", () => {
          ended += 1;
        });
      }),
    );
    const plane = await planeOf([waiting], {}, options);
    for (const [method, framing, body] of [
      ["GET", "X-Nothing: 1", ""],
      ["POST", "Content-Length: 3", part],
      ["PUT", "Content-Length: 3", part],
      ["POST", "Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"],
    ] as const) {
      const before = begun;
      const client = new RawClient(plane, method, framing, body);
      await until("the request at the task", () => begun === before + 1);
      client.socket.resetAndDestroy();
      await until("the task to notice", () => ended === begun, { withinMs: 2_000 });
    }
  },
);

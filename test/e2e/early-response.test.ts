// Responses that come before the end of an upload, through a listener and the real Workers runtime.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { Listener } from "../../src/local/listener.ts";
import { listenerProfile } from "../../src/local/listener-profile.ts";
import { RuntimeAgent } from "../../src/local/runtime-agent.ts";
import { entryKey, serviceOf, startPlane, tableOf } from "../support/dataplane.ts";
import { readResponses } from "../support/raw-exchange.ts";
import { startedParts } from "../support/started-parts.ts";

const published = 8080;
const use = startedParts();
const part = Buffer.alloc(64 * 1024, "a");

/** A task that refuses each upload at its head, ends its side, and reads on, as nginx does. */
async function refusingTask() {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.end("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    });
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { origin: `http://127.0.0.1:${port}`, stop };
}

/** A listener of a mesh with one such task. @returns its port */
async function refusingMesh(): Promise<number> {
  const task = await use(refusingTask());
  const plane = await use(startPlane(tableOf(1, serviceOf("my-web", published, [task.origin]))));
  const profile = listenerProfile({ role: "ingress", nodeId: "node1", published }, entryKey);
  const agent = new RuntimeAgent({ host: "127.0.0.1", port: plane.port });
  const listener = await Listener.open("127.0.0.1", 0, profile, agent);
  await use(Promise.resolve({ stop: () => listener.close(0) }));
  return listener.port;
}

const again = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/**
 * Sends an upload whole, then reads.
 *
 * @param next a request behind it
 * @returns the statuses of the complete responses, and the error if the client was cut off
 */
function upload(port: number, mebibytes: number, version = "HTTP/1.1", header = "X-Nothing: 1", next = "") {
  const lines = [`POST / ${version}`, "Host: a", header, `Content-Length: ${mebibytes * 1024 ** 2}`];
  return new Promise<{ readonly statuses: readonly number[]; readonly cutOff: string | null }>((resolve) => {
    let cutOff: string | null = null;
    let text = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.on("error", ({ message }) => {
      cutOff = message;
    });
    socket.on("close", () => {
      const { responses } = readResponses(text, ["POST", "GET"]);
      resolve({
        statuses: responses.filter(({ body }) => body === "no").map(({ status }) => status),
        cutOff,
      });
    });
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    let left = mebibytes * 16;
    const send = () => {
      for (; left > 0; left -= 1) {
        if (socket.write(part)) continue;
        left -= 1;
        socket.once("drain", send);
        return;
      }
      socket.write(next);
      socket.on("data", (bytes) => {
        text += bytes.toString("latin1");
      });
    };
    send();
  });
}

test("[U88] 200 uploads in a row get the response that their task sends before it has read them", async () => {
  const port = await refusingMesh();
  for (let count = 0; count < 200; count += 1) {
    expect(await upload(port, 1, "HTTP/1.1", "Connection: close")).toEqual({ statuses: [413], cutOff: null });
  }
});

test.each([
  ["keeps its connection", [413, 413], "HTTP/1.1", "X-Nothing: 1", again],
  ["asks to close it", [413], "HTTP/1.1", "Connection: close", ""],
  ["speaks HTTP/1.0", [413], "HTTP/1.0", "X-Nothing: 1", ""],
] as const)(
  "[U88] a client that %s and sends all before it reads is not cut off, and gets the response",
  async (_name, statuses, version, header, next) => {
    const port = await refusingMesh();
    expect(await upload(port, 24, version, header, next)).toEqual({ statuses, cutOff: null });
  },
);

// The exit of a machine with real sockets: the servers that it connects to, and how.

import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { exitKeyId, exitNodeId, nodeKeyText } from "../../../src/gateway/attempt.ts";
import { exitDescriptors, maxOpenRequests } from "../../../src/local/descriptor-budget.ts";
import { ServerExit } from "../../../src/local/server-exit.ts";
import { selfSignedCertificate } from "../../support/certificate.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { type AttemptChanges, requestBytes, sendBytes, sign } from "../../support/gateway.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const serverId = "s".repeat(25);

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** An exit whose table has one server. */
async function exitTo(origin: string) {
  const exit = await ServerExit.open(100, () => undefined);
  stops.push(() => exit.close());
  const servers = [{ id: serverId, name: "s1", origin, weight: 1 }];
  exit.setTable(tableOf(1, { ...serviceOf("my-web", 8080, []), servers }));
  const port = Number(new URL(exit.access.url).port);
  const key = createHmac("sha256", exit.access.secret).update(nodeKeyText(exitNodeId)).digest();
  const attempt = (changes: AttemptChanges = {}) => {
    const signed = sign({ key, keyId: exitKeyId, taskId: serverId, kind: "once", ...changes });
    return sendBytes(port, requestBytes(signed), signed);
  };
  return { exit, attempt };
}

test("[O283] the exit reaches a server while the table names it, at the ports of its service", async () => {
  const server = createServer((_request, response) => response.end("ok"));
  const { exit, attempt } = await exitTo(`http://127.0.0.1:${await listen(server)}`);
  expect(await attempt()).toMatchObject({ outcome: "task", body: "ok" });
  expect(await attempt({ port: 81 })).toMatchObject({ outcome: "gone" });
  expect(await attempt({ taskId: "t".repeat(25) })).toMatchObject({ outcome: "gone" });
  exit.setTable(tableOf(2, serviceOf("my-web", 8080, [])));
  expect(await attempt()).toMatchObject({ outcome: "gone" });
});

test("[O283] the secret of an exit is worth nothing at another one", async () => {
  const { attempt } = await exitTo("http://127.0.0.1:9");
  expect(await attempt({ key: Buffer.alloc(32, 1) })).toMatchObject({ status: 403, outcome: null });
  const secrets = [await exitTo("http://127.0.0.1:9"), await exitTo("http://127.0.0.1:9")];
  expect(new Set(secrets.map(({ exit }) => exit.access.secret)).size).toBe(2);
});

test("[O287] nothing is sent to a server whose certificate is not valid", async () => {
  let requests = 0;
  const server = createTlsServer(selfSignedCertificate(), (_request, response) => {
    requests += 1;
    response.end("ok");
  });
  const { attempt } = await exitTo(`https://localhost:${await listen(server)}`);
  for (const kind of ["reserve", "once"] as const) {
    expect(await attempt({ kind })).toMatchObject({ status: 503, outcome: "refused" });
  }
  expect(requests).toBe(0);
});

test("[O288] the exit may have three descriptors for each request that may be open", () => {
  for (const limit of [400, 1_024, 65_536]) {
    expect(exitDescriptors(limit)).toBe(3 * maxOpenRequests(limit));
    // The rest is enough for the clients of these requests, and for the connections to the runtime.
    expect(limit - exitDescriptors(limit)).toBeGreaterThan(2 * maxOpenRequests(limit));
  }
});

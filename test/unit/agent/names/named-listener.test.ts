// How connections to a name are spread over its tasks.

import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { DialResult } from "../../../../src/agent/dial-gateway.ts";
import { NamedListener } from "../../../../src/agent/names/named-listener.ts";
import type { NamedTask } from "../../../../src/agent/names/names-plan.ts";
import { tcpTask } from "../../../support/gateway.ts";
import { until } from "../../../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const task = (id: string): NamedTask => ({
  id,
  networkId: "shop",
  nodeId: "n",
  address: "10.0.0.4",
  ports: [6379],
});

/** A listener for the tasks a, b and c, each of which answers with its id unless it fails. */
async function open(maxConnections = 100) {
  const failures = new Map<string, Exclude<DialResult, object>>();
  const dialed: string[] = [];
  let monotonicMs = 0;
  const ports = new Map<string, number>();
  const clients = new Set(["127.0.0.1"]);
  for (const id of ["a", "b", "c"]) {
    const { port, stop } = await tcpTask((socket) => socket.end(id));
    stops.push(stop);
    ports.set(id, port);
  }
  const forwarding = {
    dial: async ({ id }: NamedTask, port: number): Promise<DialResult> => {
      dialed.push(`${id}:${port}`);
      return (
        failures.get(id) ?? connect({ port: ports.get(id) ?? 0, host: "127.0.0.1", allowHalfOpen: true })
      );
    },
    isClient: (networkId: string, ip: string) => networkId === "shop" && clients.has(ip),
    monotonicMs: () => monotonicMs,
    avoided: new Map<string, number>(),
    maxConnections,
    connections: 0,
    byClient: new Map<string, number>(),
  };
  const at = { networkId: "shop", address: "10.0.0.2", port: 6379, tasks: ["a", "b", "c"].map(task) };
  const listener = await NamedListener.open("127.0.0.1", at, forwarding);
  stops.push(() => listener.close());
  const pass = (ms: number) => {
    monotonicMs += ms;
  };
  return { listener, clients, failures, dialed, forwarding, pass };
}

/** What a connection reads; `reset` if it was refused. */
function read({ localPort }: NamedListener): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ port: localPort, host: "127.0.0.1" });
    socket.on("data", (bytes) => {
      text += bytes;
    });
    socket.on("error", () => resolve("reset"));
    socket.on("end", () => resolve(text));
  });
}

describe("connections to a name", () => {
  test("[N438] they go to its tasks in turn, at the port that was asked for", async () => {
    const { listener, dialed } = await open();
    const answers = [];
    for (let count = 0; count < 6; count++) answers.push(await read(listener));
    expect(answers).toEqual(["a", "b", "c", "a", "b", "c"]);
    expect(new Set(dialed)).toEqual(new Set(["a:6379", "b:6379", "c:6379"]));
  });

  test("[N438] a task that refuses is left for the next, and one that does not answer is the last for 5 s", async () => {
    const { listener, failures, dialed, pass } = await open();
    failures.set("a", "refused").set("b", "unreached");
    expect(await read(listener)).toBe("c");
    expect(dialed.splice(0)).toEqual(["a:6379", "b:6379", "c:6379"]);
    expect(await read(listener)).toBe("c");
    expect(dialed.splice(0)).toEqual(["c:6379"]);
    failures.delete("b");
    pass(6_000);
    expect([await read(listener), await read(listener)]).toEqual(["c", "b"]);
  });

  test("[N438] without a task that accepts, the connection is reset at once", async () => {
    const { listener, failures } = await open();
    for (const id of ["a", "b", "c"]) failures.set(id, "gone");
    expect(await read(listener)).toBe("reset");
    listener.tasks = [];
    expect(await read(listener)).toBe("reset");
  });

  test("[N438] more connections than a node has descriptors for are refused", async () => {
    const { listener, forwarding } = await open(0);
    expect(await read(listener)).toBe("reset");
    expect(forwarding.connections).toBe(0);
  });

  test("[N460] a connection from an address without a container of the network reaches no task", async () => {
    const { listener, clients, dialed } = await open();
    clients.clear();
    expect(await read(listener)).toBe("reset");
    expect(dialed).toEqual([]);
    clients.add("127.0.0.1");
    expect(await read(listener)).toBe("a");
  });

  test("[N467] one container has at most half of the connections to names", async () => {
    const { listener, clients, forwarding } = await open(4);
    clients.add("127.0.0.2");
    const connected = (localAddress: string) =>
      new Promise<string>((resolve) => {
        const socket = connect({
          port: listener.localPort,
          host: "127.0.0.1",
          localAddress,
          allowHalfOpen: true,
        });
        socket.on("error", () => resolve("reset"));
        // Not ended, so that it stays open.
        socket.once("data", (bytes) => resolve(String(bytes)));
        stops.push(() => socket.destroy());
      });
    const answers = [];
    for (const from of ["1", "1", "1", "2", "2", "2"]) answers.push(await connected(`127.0.0.${from}`));
    expect(answers).toEqual(["a", "b", "reset", "c", "a", "reset"]);
    for (const stop of stops.splice(3)) await stop();
    await until("all to be closed", () => forwarding.byClient.size === 0 && forwarding.connections === 0);
  });
});

// The name server of a node, asked by Node's resolver and by another server's client.

import { createSocket, Socket as DatagramSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { connect } from "node:net";
import { decode, encode } from "dns-packet";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type NameAnswer, NameServer } from "../../../../src/agent/names/name-server.ts";

describe("the name server", () => {
  let server: NameServer;
  let answers: Record<string, NameAnswer>;
  let clients: string[];

  beforeEach(async () => {
    answers = {};
    clients = [];
    server = await NameServer.open("127.0.0.1", async (client, name) => {
      clients.push(client);
      return answers[name] ?? { kind: "next" };
    });
  });

  afterEach(() => server.close());

  function resolver(): Resolver {
    const made = new Resolver({ timeout: 1_000, tries: 1 });
    made.setServers([`127.0.0.1:${server.port}`]);
    return made;
  }

  test("[N437] it answers with the addresses of a name, for the client that asks", async () => {
    answers.db = { kind: "addresses", addresses: ["10.0.0.4", "172.18.0.5"] };
    expect(await resolver().resolve4("db")).toEqual(["10.0.0.4", "172.18.0.5"]);
    expect(clients).toEqual(["127.0.0.1"]);
  });

  test("[N437] a name exists for other types of records too, without an answer", async () => {
    answers.db = { kind: "addresses", addresses: ["10.0.0.4"] };
    await expect(resolver().resolve6("db")).rejects.toThrow("ENODATA");
    answers.empty = { kind: "addresses", addresses: [] };
    await expect(resolver().resolve4("empty")).rejects.toThrow("ENODATA");
  });

  test("[N437] a name that it does not know is the business of the next name server", async () => {
    await expect(resolver().resolve4("example.com")).rejects.toThrow("ESERVFAIL");
  });

  test("[N437] more addresses than a datagram holds are sent over TCP", async () => {
    const addresses = Array.from({ length: 60 }, (_, at) => `10.0.0.${at + 1}`);
    answers["tasks.db"] = { kind: "addresses", addresses };
    expect((await resolver().resolve4("tasks.db")).toSorted()).toEqual(addresses.toSorted());
  });

  test("[N437] two questions of one connection are answered, also in pieces", async () => {
    answers.db = { kind: "addresses", addresses: ["10.0.0.4"] };
    const question = (id: number) => {
      const message = encode({ type: "query", id, flags: 0x0100, questions: [{ type: "A", name: "db" }] });
      return Buffer.concat([Buffer.from([0, message.length]), message]);
    };
    const socket = connect(server.port, "127.0.0.1");
    const bytes = Buffer.concat([question(7), question(8)]);
    socket.write(bytes.subarray(0, 5));
    socket.write(bytes.subarray(5));
    const ids = new Set<number | undefined>();
    let received = Buffer.alloc(0);
    for await (const part of socket) {
      received = Buffer.concat([received, part]);
      while (received.length > 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const size = received.readUInt16BE(0);
        ids.add(decode(received.subarray(2, 2 + size)).id);
        received = received.subarray(2 + size);
      }
      if (ids.size === 2) break;
    }
    expect(ids).toEqual(new Set([7, 8]));
  });

  test("[N437] a name that is not the mesh's is asked of the machine's name servers, the next if one is unreachable", async () => {
    answers["www.test"] = { kind: "addresses", addresses: ["192.0.2.7"] };
    // UDP to a broadcast address fails at once.
    const others = [
      { host: "255.255.255.255", port: 53 },
      { host: "127.0.0.1", port: server.port },
    ];
    const local = await NameServer.open(
      "127.0.0.1",
      async () => ({ kind: "forward" }),
      () => others,
    );
    const asking = resolver();
    asking.setServers([`127.0.0.1:${local.port}`]);
    expect(await asking.resolve4("www.test")).toEqual(["192.0.2.7"]);
    others.pop();
    await expect(asking.resolve4("www.test")).rejects.toThrow("ESERVFAIL");
    local.close();
  });

  test("[N437] bytes that are no question get no answer, and the server goes on", async () => {
    const socket = createSocket("udp4");
    for (const bytes of ["", "x", "\0".repeat(12), "ÿ".repeat(600)]) {
      await new Promise((resolve) => socket.send(bytes, server.port, "127.0.0.1", resolve));
    }
    const reply = encode({ type: "response", id: 1, questions: [{ type: "A", name: "db" }] });
    await new Promise((resolve) => socket.send(reply, server.port, "127.0.0.1", resolve));
    answers.db = { kind: "addresses", addresses: ["10.0.0.4"] };
    expect(await resolver().resolve4("db")).toEqual(["10.0.0.4"]);
    expect(clients).toHaveLength(1);
    socket.close();
  });

  test("[N461] one client has at most 128 questions at other name servers, and others are asked meanwhile", async () => {
    // Asks a name server that never answers.
    const silent = createSocket("udp4");
    await new Promise<void>((resolve) => silent.bind(0, "127.0.0.1", resolve));
    let forwarded = 0;
    silent.on("message", () => {
      forwarded += 1;
    });
    const others = [{ host: "127.0.0.1", port: silent.address().port }];
    const local = await NameServer.open(
      "0.0.0.0",
      async () => ({ kind: "forward" }),
      () => others,
    );
    const questions = (localAddress: string) => {
      const socket = createSocket("udp4");
      const refused = new Promise<number>((resolve) => {
        socket.once("message", (reply) => resolve(reply.readUInt8(3) & 0x0f));
      });
      socket.bind(0, localAddress, () => {
        for (let id = 0; id < 140; id++) {
          socket.send(encode({ type: "query", id, questions: [{ type: "A", name: "x.test" }] }), local.port);
        }
      });
      return refused.finally(() => socket.close());
    };
    expect([await questions("127.0.0.2"), forwarded]).toEqual([2, 128]);
    expect([await questions("127.0.0.3"), forwarded]).toEqual([2, 256]);
    local.close();
    silent.close();
  });

  test("[N461] questions of a client that reads no answers are not read on", async () => {
    const addresses = Array.from({ length: 200 }, (_, at) => `10.0.0.${at + 1}`);
    answers["tasks.db"] = { kind: "addresses", addresses };
    const message = encode({ type: "query", id: 1, questions: [{ type: "A", name: "tasks.db" }] });
    const question = Buffer.concat([Buffer.from([0, message.length]), message]);
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    const count = 40_000;
    socket.write(Buffer.concat(Array.from({ length: count }, () => question)));
    await vi.waitFor(() => expect(clients.length).toBeGreaterThan(100));
    let before = 0;
    await vi.waitFor(
      () => {
        const grown = clients.length - before;
        before = clients.length;
        expect(grown).toBe(0);
      },
      { timeout: 5_000, interval: 200 },
    );
    expect(clients.length).toBeLessThan(count);
    socket.destroy();
  });

  test("[N461] a client has at most 16 connections", async () => {
    const sockets = Array.from({ length: 17 }, () => connect(server.port, "127.0.0.1"));
    const closed = await Promise.any(
      sockets.map((socket) => new Promise((resolve) => socket.once("close", () => resolve(socket)))),
    );
    expect(closed).toBeDefined();
    expect(sockets.filter(({ closed }) => closed)).toHaveLength(1);
    for (const socket of sockets) socket.destroy();
  });

  test("[N468] a message of many questions is not answered, and a name has as many addresses as a message holds", async () => {
    const head = Buffer.alloc(12);
    const count = 300;
    head.writeUInt16BE(count, 4);
    const name = [...Array.from({ length: 127 }, () => Buffer.from([1, 97])), Buffer.from([0])];
    const same = Array.from({ length: count - 1 }, () => Buffer.from([0xc0, 12, 0, 1, 0, 1]));
    const message = Buffer.concat([head, ...name, Buffer.from([0, 1, 0, 1]), ...same]);
    const size = Buffer.alloc(2);
    size.writeUInt16BE(message.length);
    const socket = connect(server.port, "127.0.0.1");
    const question = encode({ type: "query", id: 7, questions: [{ type: "A", name: "tasks.db" }] });
    socket.write(Buffer.concat([size, message, Buffer.from([0, question.length]), question]));
    const addresses = Array.from({ length: 5_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
    answers["tasks.db"] = { kind: "addresses", addresses };
    let received = Buffer.alloc(0);
    for await (const part of socket) {
      received = Buffer.concat([received, part]);
      if (received.length >= 2 + received.readUInt16BE(0)) break;
    }
    const reply = decode(received.subarray(2));
    expect([reply.id, reply.answers?.length]).toEqual([7, Math.floor(64_511 / 24)]);
    expect(clients).toHaveLength(1);
  });

  test("[N469] a question from port 0 gets no answer, and the server goes on", async () => {
    const bind = vi.spyOn(DatagramSocket.prototype, "bind");
    const local = await NameServer.open("127.0.0.1", async () => answers.db ?? { kind: "next" });
    const [udp] = bind.mock.contexts as DatagramSocket[];
    bind.mockRestore();
    const question = encode({ type: "query", id: 7, questions: [{ type: "A", name: "db" }] });
    udp?.emit("message", question, { address: "127.0.0.1", port: 0, family: "IPv4", size: question.length });
    answers.db = { kind: "addresses", addresses: ["10.0.0.4"] };
    const asking = resolver();
    asking.setServers([`127.0.0.1:${local.port}`]);
    expect(await asking.resolve4("db")).toEqual(["10.0.0.4"]);
    expect(udp).toBeDefined();
    local.close();
  });
});

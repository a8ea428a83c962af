// The transport of nodes, whatever they claim and operators set.

import { isIP } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { dialedHost, isLoopback } from "../../../src/domain/model/dialed-host.ts";
import { isConfirmed, readHostPatterns } from "../../../src/domain/model/host-pattern.ts";
import { readTable } from "../../../src/domain/table/text.ts";
import { machine, TestMesh } from "../../unit/registry/harness.ts";

const addresses = [
  ...["192.168.1.5", "10.0.0.5", "192.0.2.7", "2001:db8::7", "127.0.0.2", "localhost"],
  ...["node1.example.com", "NODE1.example.com", "node1", "evil.test"],
];

const patterns = ["", "10.0.0.0/8", "192.0.2.7", "*.example.com", "node1", "127.0.0.0/8", "2001:db8::/32"];

const step = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    address: fc.constantFrom(...addresses),
    client: fc.option(fc.constantFrom(...addresses)),
    port: fc.constantFrom(7946, 8787),
    tls: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("labels" as const),
    address: fc.constantFrom(...patterns),
    transport: fc.constantFrom("", "direct", "vpc", "tunnel", "auto"),
  }),
  fc.record({
    kind: fc.constant("check" as const),
    transport: fc.constantFrom("direct" as const, "vpc" as const),
    address: fc.constantFrom(...addresses),
    problem: fc.constantFrom("", "no answer"),
  }),
);

test("[O102][O107] a node is never dialed at an address that is neither proven nor confirmed, nor at the mesh's own sockets, nor at an IP address from the edge", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("edge" as const, "local" as const),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(...patterns),
      fc.array(step, { minLength: 1, maxLength: 8 }),
      (mode, hasTunnel, hasVpc, nodeAddresses, steps) => {
        const mesh = new TestMesh(mode);
        Object.assign(mesh, { hasTunnel, hasVpc, nodeAddresses });
        mesh.restart();
        const token = mesh.registry.joinTokens().worker;
        const joined = mesh.registry.join({ token, ...machine("node1", "node1.example.com") });
        if (!joined.ok) throw new Error(joined.problem.message);
        const { nodeId } = joined.value;
        const proven = new Set<string>();
        let label = "";
        for (const action of steps) {
          if (action.kind === "hello") {
            const gateway = { port: action.port, tls: action.tls };
            const node = { ...machine("node1", action.address), gateway };
            mesh.send(nodeId, { type: "hello", node, tasks: [] }, action.client);
            const isSeen = action.client === action.address && isIP(action.address) > 0;
            if (isSeen && !isLoopback(action.address)) proven.add(action.address);
          } else if (action.kind === "labels") {
            const found = mesh.registry.node(nodeId);
            if (!found.ok) throw new Error(found.problem.message);
            const labels = {
              ...(action.address && { "waggle.address": action.address }),
              ...(action.transport && { "waggle.transport": action.transport }),
            };
            const change = { availability: "active", role: "worker", labels } as const;
            const result = mesh.registry.updateNode(nodeId, found.value.version, change, "operator");
            if (result.ok) label = action.address;
          } else {
            const host = action.address.includes(":") ? `[${action.address}]` : action.address;
            mesh.registry.recordGatewayCheck(nodeId, {
              transport: action.transport,
              url: new URL(`http://${host}:7946`).origin,
              problem: action.problem,
            });
          }
          const bases = readTable(mesh.registry.table(-1).text ?? "").nodes.map(({ gateway }) => gateway);
          const checks = mesh.registry
            .takeEffects()
            .gatewayChecks.map(({ transport, url }) => ({ transport, base: url }));
          for (const gateway of [...bases, ...checks]) {
            if (gateway === undefined || gateway.transport === "tunnel") continue;
            const url = new URL(gateway.base);
            const host = url.hostname.replace(/^\[|\]$/g, "");
            const confirmed = [label, nodeAddresses].some((list) =>
              isConfirmed(host, readHostPatterns(list).patterns),
            );
            const isProven = [...proven].some((address) => dialedHost(address) === host);
            expect(confirmed || isProven, `${gateway.transport} ${gateway.base}`).toBe(true);
            expect(url.host).not.toBe("127.0.0.1:8787");
            if (mode === "edge" && gateway.transport === "direct") expect(host).toMatch(/[a-z]\.[a-z]/);
          }
        }
      },
    ),
    { numRuns: 100 },
  );
});

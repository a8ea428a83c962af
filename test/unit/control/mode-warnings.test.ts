import { expect, test } from "vitest";
import { protocolWarnings, reachWarnings } from "../../../src/control/mode-warnings.ts";
import { aService } from "../../support/world.ts";

const publishing = (target: number, labels: Record<string, string> = {}) =>
  aService({ name: "db", ports: [{ target, mode: "ingress" }], labels }).spec;

test("[O181] a target port that is usually not of HTTP has a warning, unless a label sets the mode", () => {
  expect(protocolWarnings(publishing(5432))).toEqual([
    "target port 5432 is usually PostgreSQL, and db gets HTTP requests: if it does not speak HTTP, set --label-add waggle.mode=tcp, else waggle.mode=http",
  ]);
  expect(protocolWarnings(publishing(5432, { "waggle.mode": "http" }))).toEqual([]);
  expect(reachWarnings(publishing(5432, { "waggle.mode": "tcp" }), false)).toEqual([]);
  for (const target of [80, 443, 3000, 8080, 9090]) expect(protocolWarnings(publishing(target))).toEqual([]);
});

test("[O181] on Cloudflare a port in mode tcp has a warning that says how it is reached", () => {
  expect(reachWarnings(publishing(5432, { "waggle.mode": "tcp" }), true)).toEqual([
    "db is in mode tcp: a Worker on Cloudflare has no port for it, so that it is reached at balancers of your own only",
  ]);
  expect(reachWarnings(publishing(80), true)).toEqual([]);
});

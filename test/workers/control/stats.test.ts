// The statistics on the edge, in workerd.

import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { serveWithStats } from "../../../workers/stats.ts";

test("[A62] in workerd, clients of the edge's statistics behind a trusted proxy are limited one by one", async () => {
  const behindProxy = { ...env, TRUSTED_PROXIES: "10.0.0.0/8" };
  const guess = async (client: string) => {
    const headers = { authorization: `Basic ${btoa("any:wrong")}`, "x-forwarded-for": client };
    const request = new Request("http://mesh.test/haproxy?stats", { headers });
    const entry = { role: "edge", node: null, port: null, scheme: "http", client: "10.0.0.1" } as const;
    const arrival = { ...entry, mayDebug: () => false };
    return (await serveWithStats(request, arrival, behindProxy, createExecutionContext())).status;
  };
  for (let count = 0; count < 10; count += 1) expect(await guess("192.0.2.81")).toBe(401);
  expect(await guess("192.0.2.81")).toBe(429);
  expect(await guess("192.0.2.82")).toBe(401);
});

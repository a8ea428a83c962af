// Requests to static servers by `fetch` or through the exit, as the data plane decides. test/e2e/server-exit.test.ts
// has a real exit.

import { expect, test } from "vitest";
import type { TableService } from "../../../src/domain/table/table.ts";
import { edge } from "../../../src/edge/handle.ts";
import {
  attemptHeader,
  exitKeyId,
  gatewayHeader,
  hostHeader,
  readAttempt,
  targetHeader,
} from "../../../src/gateway/attempt.ts";
import type { PlaneOptions } from "../../../src/proxy/plane.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, rawEntry, rawRequest } from "./in-process-plane.ts";
import { type Arrival, accept, type Behavior, testGateway } from "./test-gateway.ts";

const exitAccess = { url: "http://exit.test", secret: "a secret of one start" };

/** A plane with an exit. @param behavior of the exit */
function planeWithExit(
  services: readonly TableService[],
  behavior: Behavior = accept,
  options: Partial<PlaneOptions> = {},
) {
  const arrivals: Arrival[] = [];
  const behaviors = { [exitAccess.url]: behavior };
  const dialGateway = testGateway((arrival) => arrivals.push(arrival), behaviors, exitAccess.secret);
  const plane = inProcessPlane(tableOf(1, ...services), {}, { dialGateway, exitAccess, ...options });
  const sendRaw = (target: string, init?: RequestInit) =>
    edge(rawRequest(target, init), rawEntry, { plane: plane.plane, waitUntil: () => undefined });
  return { arrivals, sendRaw, ...plane };
}

const [firstId, secondId] = ["1".repeat(25), "2".repeat(25)];

/** A service with two static servers. */
function twoServers(over: Partial<TableService> = {}): TableService {
  const server = (name: string, id: string) => ({ id, name, origin: `http://${name}.test:8081`, weight: 1 });
  return {
    ...serviceOf("my-web", 8080, []),
    servers: [server("s1", firstId), server("s2", secondId)],
    ...over,
  };
}

const attemptsOf = (arrivals: readonly Arrival[]) =>
  arrivals.flatMap(({ headers }) => readAttempt(headers.get(attemptHeader) ?? "")?.attempt ?? []);

test.each(["/", "/a?b=c", "/a'b", "/.well-known/x", "/%2F/%7B"])(
  "[O280] a request that fetch does not change goes by fetch: %s",
  async (target) => {
    const { sendRaw, arrivals, received } = planeWithExit([twoServers()]);
    expect((await sendRaw(target)).status).toBe(200);
    expect(arrivals).toEqual([]);
    expect(received.map(({ url }) => url)).toEqual([`http://s1.test:8081${target}`]);
  },
);

test.each(["/?q='x'", "/a{b}^c", "/a/../b", "/./^", "/%2E%2e/a?x='"])(
  "[O280] a request that fetch would change goes through the exit: %s",
  async (target) => {
    const { sendRaw, arrivals, received } = planeWithExit([twoServers()]);
    const response = await sendRaw(target);
    expect(response.status).toBe(200);
    expect(response.headers.has(gatewayHeader)).toBe(false);
    expect(received).toEqual([]);
    expect(arrivals.map(({ headers }) => headers.get(targetHeader))).toEqual([target]);
    expect(arrivals.map(({ headers }) => headers.get(hostHeader))).toEqual(["s1.test:8081"]);
    expect(attemptsOf(arrivals)).toMatchObject([
      { keyId: exitKeyId, taskId: firstId, port: 80, kind: "once" },
    ]);
  },
);

test("[O281] where a path rule is compared, the server gets the path that was compared", async () => {
  const paths = { at: ["my-web"], rules: [{ host: null, path: "/admin", exact: false }] };
  const admin = { ...serviceOf("admin", 8081, ["http://admin.test"], { options: { paths } }) };
  const { sendRaw, arrivals, received } = planeWithExit([admin, twoServers()]);
  await sendRaw("/x/../admin");
  await sendRaw("/admin/../x");
  await sendRaw("/admin/../x^");
  await sendRaw("/x^");
  expect(received.map(({ url }) => url)).toEqual([
    "http://admin.test/admin",
    "http://s1.test:8081/x",
    "http://s1.test:8081/x%5E",
  ]);
  expect(arrivals.map(({ headers }) => headers.get(targetHeader))).toEqual(["/x^"]);
});

test.each(["POST", "PATCH"])(
  "[O282] a %s goes through the exit, which connects to the server before the body is read",
  async (method) => {
    const { send, arrivals, received } = planeWithExit([twoServers()]);
    expect((await send({ method, body: "order" })).status).toBe(200);
    expect(attemptsOf(arrivals).map(({ kind, taskId }) => [kind, taskId])).toEqual([
      ["reserve", firstId],
      ["once", firstId],
    ]);
    expect(received).toEqual([]);
  },
);

test("[O282] a POST that a server did not accept goes to another one", async () => {
  const { send, arrivals } = planeWithExit([twoServers()], ({ kind, taskId }, answer) => {
    if (taskId === firstId) return answer("refused", 503);
    return answer(kind === "reserve" ? "ready" : "task");
  });
  expect((await send({ method: "POST", body: "order" })).status).toBe(200);
  expect(attemptsOf(arrivals).map(({ taskId }) => taskId)).toEqual([firstId, secondId, secondId]);
});

test("[O282] a POST that a server may have got goes to no other one", async () => {
  const { send, arrivals } = planeWithExit([twoServers()], ({ kind }, answer) =>
    kind === "reserve" ? answer("ready") : answer("broken", 502),
  );
  expect((await send({ method: "POST", body: "order" })).status).toBe(502);
  expect(attemptsOf(arrivals)).toHaveLength(2);
});

test("[O284] label waggle.host-header sets the Host of static servers, through the exit", async () => {
  const { send, arrivals } = planeWithExit([twoServers({ options: { hostHeader: "app.internal" } })]);
  expect((await send()).status).toBe(200);
  expect(arrivals.map(({ headers }) => headers.get(hostHeader))).toEqual(["app.internal"]);
});

test("[O285] a server that the exit does not know yet is asked for again", async () => {
  let asked = 0;
  const { send } = planeWithExit([twoServers()], ({ kind }, answer) => {
    asked += 1;
    if (asked === 1) return answer("gone", 503);
    return answer(kind === "reserve" ? "ready" : "task");
  });
  expect((await send({ method: "POST", body: "order" })).status).toBe(200);
  expect(asked).toBe(3);
});

test("[O286] a response without the service's marker counts as failed through the exit as well", async () => {
  const { sendRaw, arrivals } = planeWithExit(
    [twoServers({ options: { marker: "x-app" } })],
    ({ taskId }, answer) => answer("task", taskId === firstId ? 502 : 200),
  );
  expect((await sendRaw("/a{")).status).toBe(200);
  expect(arrivals).toHaveLength(2);
});

test("[O283] a client's own headers of an attempt lead nowhere", async () => {
  const { sendRaw, arrivals } = planeWithExit([twoServers()]);
  const headers = {
    [attemptHeader]: `1 ${exitKeyId} ${secondId} 80 x 1764331200000 once ${"p".repeat(22)}`,
    [targetHeader]: "/forged",
    [hostHeader]: "forged.test",
    "x-waggle-method": "DELETE",
    connection: `${attemptHeader}, ${targetHeader}`,
  };
  await sendRaw("/a{", { headers });
  expect(attemptsOf(arrivals)).toMatchObject([{ taskId: firstId }]);
  const [{ headers: sent } = { headers: new Headers() }] = arrivals;
  expect(sent.get(targetHeader)).toBe("/a{");
  expect(sent.get(hostHeader)).toBe("s1.test:8081");
  expect(sent.has("x-waggle-method")).toBe(false);
});

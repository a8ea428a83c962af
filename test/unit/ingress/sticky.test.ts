import { expect, test } from "vitest";
import type { TableService } from "../../../src/domain/table/table.ts";
import { serviceOf, tableOf, taskId } from "../../support/dataplane.ts";
import { frozen, type InProcessPlane, inProcessPlane, refused } from "./in-process-plane.ts";

const [a, b, c] = ["http://127.0.0.2:1", "http://127.0.0.3:1", "http://127.0.0.4:1"] as const;
const sticky = { options: { sticky: "SRV" } };

/** A client with a cookie jar, as curl's `-b jar -c jar`. */
function client(mesh: InProcessPlane, jar: Record<string, string> = {}) {
  return async (request: Parameters<InProcessPlane["send"]>[0] = {}) => {
    const cookie = Object.entries(jar)
      .map(([name, value]) => `${name}=${value}`)
      .join("; ");
    const headers = { ...request.headers, ...(cookie !== "" && { cookie }) };
    const response = await mesh.send({ ...request, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar[name] = value;
    }
    return { origin: await response.text(), set: response.headers.getSetCookie(), response };
  };
}

const without = (service: TableService, ...numbers: number[]): TableService => ({
  ...service,
  tasks: service.tasks.filter(({ slot }) => !numbers.includes(slot)),
});

test("[W13] a client stays with the task that its cookie names, and gets no second cookie", async () => {
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [a, b, c], sticky)));
  const send = client(mesh);
  const first = await send();
  expect(first.set).toHaveLength(1);
  for (let i = 0; i < 5; i += 1) expect(await send()).toMatchObject({ origin: first.origin, set: [] });
  // Another client gets the next task.
  expect((await client(mesh)()).origin).not.toBe(first.origin);
});

test("[W13] the cookie is HttpOnly, SameSite=Lax, Path=/, Secure on https, and makes the response private", async () => {
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [a], sticky)));
  const value = `${taskId("my-web", 1)}\\.[\\w-]{22}`;
  const plain = await client(mesh)();
  expect(plain.set[0]).toMatch(new RegExp(`^SRV=${value}; Path=/; HttpOnly; SameSite=Lax$`));
  expect(plain.response.headers.get("cache-control")).toBe("private");
  const secure = await client(mesh)({ entry: { scheme: "https" } });
  expect(secure.set[0]).toMatch(new RegExp(`^SRV=${value}; Path=/; HttpOnly; SameSite=Lax; Secure$`));
});

test("[W14] a cookie that the mesh did not sign for this service is ignored", async () => {
  const shop = { ...serviceOf("shop", 9090, [c], sticky), tasks: serviceOf("my-web", 8080, [c]).tasks };
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [a, b], sticky), shop));
  const jar: Record<string, string> = {};
  await client(mesh, jar)({ entry: { port: 9090 } });
  const id = taskId("my-web", 1);
  for (const value of [jar.SRV ?? "", id, `${id}.`, `${id}.${"A".repeat(22)}`, "", "."]) {
    const { set } = await client(mesh, { SRV: value })();
    expect(set, value).toHaveLength(1);
  }
});

test("[W14] the task gets all cookies but the sticky one", async () => {
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [a], sticky)));
  const sentCookie = async (cookie: string) => {
    await mesh.send({ headers: { cookie } });
    return mesh.received.at(-1)?.headers.get("cookie") ?? null;
  };
  expect(await sentCookie("SRV=x")).toBeNull();
  expect(await sentCookie("one=1; SRV=x; two=2; SRV=y")).toBe("one=1; two=2");
  expect(await sentCookie("SRVX=1; srv=2")).toBe("SRVX=1; srv=2");
});

test("[W15] when the task is gone, the client gets another one and its cookie", async () => {
  const service = serviceOf("my-web", 8080, [a, b, c], sticky);
  const mesh = inProcessPlane(tableOf(1, service));
  const send = client(mesh);
  const first = await send();
  mesh.state.table = tableOf(2, without(service, [a, b, c].indexOf(first.origin as typeof a) + 1));
  mesh.state.nowMs += 3_000;
  await mesh.plane.tables.fresh();
  const second = await send();
  expect(second.origin).not.toBe(first.origin);
  expect(second.set).toHaveLength(1);
  expect(await send()).toMatchObject({ origin: second.origin, set: [] });
});

test("[W15] a client whose task fails moves to another task at once, and stays there", async () => {
  const tasks: Record<string, typeof refused> = {};
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [a, b, c], sticky)), tasks);
  const send = client(mesh);
  const first = await send();
  tasks[first.origin] = refused;
  const second = await send();
  expect(second).toMatchObject({ response: { status: 200 } });
  expect(second.origin).not.toBe(first.origin);
  delete tasks[first.origin];
  for (let i = 0; i < 3; i += 1) expect((await send()).origin).toBe(second.origin);
});

test("[W15] a request with a sticky cookie is not hedged", async () => {
  const tasks: Record<string, typeof refused> = {};
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [a, b, c], sticky)), tasks, {
    nowMs: Date.now,
    headTimeoutMs: 400,
  });
  const send = client(mesh);
  const { origin } = await send();
  tasks[origin] = frozen;
  const before = mesh.received.length;
  expect((await send()).response.status).toBe(504);
  expect(mesh.origins().slice(before)).toEqual([origin]);
});

test("[W15] a task in drain or with weight 0 keeps its sticky clients, even if no other task is left", async () => {
  const service = serviceOf("my-web", 8080, [a, b], sticky);
  for (const change of [{ drain: true as const }, { weight: 0 }]) {
    const mesh = inProcessPlane(tableOf(1, service));
    const send = client(mesh);
    const { origin } = await send();
    const withChange = (all: boolean) => ({
      ...service,
      tasks: service.tasks.map((task) =>
        all || task.endpoints[0]?.[1] === origin ? { ...task, ...change } : task,
      ),
    });
    mesh.state.table = tableOf(2, withChange(false));
    mesh.state.nowMs += 3_000;
    await mesh.plane.tables.fresh();
    for (let i = 0; i < 3; i += 1) expect(await send()).toMatchObject({ origin, set: [] });
    for (let i = 0; i < 3; i += 1) expect((await client(mesh)()).origin).not.toBe(origin);
    mesh.state.table = tableOf(3, withChange(true));
    mesh.state.nowMs += 3_000;
    await mesh.plane.tables.fresh();
    expect(await send()).toMatchObject({ origin });
    const newClient = await client(mesh)();
    expect(newClient.response.status).toBe(503);
    expect(newClient.origin).toContain("each of the 2 tasks of my-web is in drain or has weight 0");
  }
});

test("[W15] a client whose task failed is refused with that reason if no other task is left", async () => {
  const service = serviceOf("my-web", 8080, [a, b], sticky);
  const tasks: Record<string, typeof refused> = {};
  const mesh = inProcessPlane(tableOf(1, service), tasks);
  const send = client(mesh);
  const { origin } = await send();
  tasks[origin] = refused;
  const drained = service.tasks.map((task) => ({ ...task, drain: true as const }));
  mesh.state.table = tableOf(2, { ...service, tasks: drained });
  mesh.state.nowMs += 3_000;
  await mesh.plane.tables.fresh();
  expect((await send()).response.status).toBe(502);
  const before = mesh.received.length;
  const second = await send();
  expect(second.response.status).toBe(503);
  expect(second.origin).toContain(
    "the task that this client's cookie names failed a moment ago; my-web has no other",
  );
  expect(mesh.received).toHaveLength(before);
});

test("[W13] a debug header shows whether the cookie decided", async () => {
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [a, b], sticky)));
  const send = client(mesh);
  const debug = { entry: { mayDebug: () => true }, headers: { "x-waggle-debug": "1" } };
  expect((await send(debug)).response.headers.get("x-waggle-sticky")).toBe("new");
  expect((await send(debug)).response.headers.get("x-waggle-sticky")).toBe("kept");
});

// The routes of routers on machines of their own, in front of a real registry and telemetry.

import { expect, test } from "vitest";
import { machine } from "../registry/harness.ts";
import { delta, entryDelta } from "../telemetry/deltas.ts";
import { operatorToken, TestControl } from "./support.ts";

type Machine = { readonly nodeId: string; readonly credential: string };

function join(control: TestControl, hostname: string, ingress = true): Machine {
  const { registry } = control.mesh;
  const token = registry.joinTokens().worker;
  const joined = registry.join({ token, ingress, ...machine(hostname, "127.0.0.9") });
  if (!joined.ok) throw new Error(joined.problem.message);
  return joined.value;
}

const headersOf = ({ nodeId, credential }: Machine) => ({
  authorization: `Bearer ${credential}`,
  "x-waggle-node": nodeId,
});

const service = { id: "s".repeat(25), name: "my-web" };
const counters = () => delta(1, { entries: [entryDelta({ requests: 3 }, [1, 2, 3], { service })] });

test("[O131] a poll goes to the registry object with its query and credential", async () => {
  const control = new TestControl(0);
  const node = join(control, "node1");
  const path = "GET /v1.44/mesh/router/table?after=7&wait=25";
  const { status } = await control.ask(path, { token: null, headers: headersOf(node) });
  expect(status).toBe(418);
  const [forwarded] = control.upgrades;
  expect(forwarded?.url).toBe("https://registry/mesh/router/table?after=7&wait=25");
  expect(forwarded?.headers.get("authorization")).toBe(`Bearer ${node.credential}`);
  expect(forwarded?.headers.get("x-waggle-node")).toBe(node.nodeId);
});

test("[O134] reports need the credential of a machine that routes: the operator's token is none", async () => {
  const control = new TestControl(0);
  const [node, other] = [join(control, "node1"), join(control, "node2")];
  const plain = join(control, "node3", false);
  const removed = join(control, "node4");
  control.mesh.registry.removeNode(removed.nodeId, true, "operator");
  const wrong: readonly [Record<string, string>, number][] = [
    [{}, 401],
    [{ ...headersOf(node), authorization: `Bearer ${operatorToken}` }, 401],
    [{ ...headersOf(node), authorization: `Bearer ${other.credential}` }, 401],
    [headersOf(removed), 401],
    [headersOf(plain), 403],
  ];
  for (const [headers, expected] of wrong) {
    for (const [route, body] of [
      ["suspects", { taskIds: [] }],
      ["counters", counters()],
    ] as const) {
      const { status } = await control.ask(`POST /mesh/router/${route}`, { token: null, headers, body });
      expect([route, headers, status]).toEqual([route, headers, expected]);
    }
  }
  expect(control.telemetry.snapshot({ tasks: false }).services).toEqual([]);
});

test("[O134] counters are counted once, and under an isolate of the machine that sent them", async () => {
  const control = new TestControl(0);
  const [node, other] = [join(control, "node1"), join(control, "node2")];
  const send = (machine: Machine) =>
    control.ask("POST /mesh/router/counters", { token: null, headers: headersOf(machine), body: counters() });
  for (const machine of [node, node, other]) expect((await send(machine)).status).toBe(204);
  // The same isolate and number twice is one delta; of another machine it is another one.
  const [counted] = control.telemetry.snapshot({ tasks: false }).services;
  expect(counted).toMatchObject({ name: "my-web", counts: { requests: 6 } });
});

test.each([
  ["counters", { isolate: "a", seq: 0 }, 400],
  ["counters", null, 400],
  ["suspects", { taskIds: "x" }, 400],
  ["suspects", { taskIds: Array(101).fill("x") }, 400],
  ["suspects", { taskIds: ["x".repeat(51)] }, 400],
])("[O134] an invalid report of %s is refused", async (route, body, expected) => {
  const control = new TestControl(0);
  const headers = headersOf(join(control, "node1"));
  const { status, json } = await control.ask(`POST /mesh/router/${route}`, { token: null, headers, body });
  expect([status, json.message]).toEqual([expected, expect.stringMatching(/^cannot read/)]);
});

test("[O134] a report of a suspect makes the agent of its node probe it", async () => {
  const control = new TestControl(1);
  await control.create("my-web");
  control.mesh.work();
  const router = join(control, "router");
  const [task] = control.mesh.tasks();
  control.mesh.registry.takeEffects();
  const headers = headersOf(router);
  const body = { taskIds: [task?.id, "unknown"] };
  const { status } = await control.ask("POST /mesh/router/suspects", { token: null, headers, body });
  expect(status).toBe(204);
  expect(control.mesh.registry.takeEffects().probes).toEqual([{ nodeId: task?.nodeId, taskIds: [task?.id] }]);
});

// What the command shows of the published ports that machines open themselves.

import { expect, test } from "vitest";
import { machineLabels } from "../../../src/protocol/engine/machine-labels.ts";
import { node, port, service } from "./engine-objects.ts";
import { fakeMesh, type Routes, runOn } from "./support.ts";

const why = "another process on this machine listens there";
const closed = [8080, 9090, 9091].map((number) => ({ port: number, why, sinceMs: 0 }));

function machine(name: string, ...[labels]: Parameters<typeof machineLabels>) {
  const plain = node(name);
  const { Description } = plain;
  return {
    ...plain,
    Description: { ...Description, Engine: { ...Description?.Engine, Labels: machineLabels(labels) } },
  };
}

const nodes = [
  node("plain"),
  machine("open", { listeners: { open: 2, closed: [] } }),
  machine("taken", { listeners: { open: 1, closed: closed.slice(0, 1) } }),
  machine("lb", { kind: "balancer", listeners: { open: 0, closed } }),
];
const web = service("web", { ports: [port(80, 8080)] });
const routes: Routes = {
  "GET /nodes": { json: nodes },
  "GET /nodes/taken": { json: nodes[2] },
  "GET /services/web": { json: web },
  "GET /tasks": { json: [] },
};

test("[O137] node ls has a column for the ports that machines open, with the reason of one that is not", async () => {
  await using mesh = await fakeMesh(routes);
  const { out } = await runOn(mesh, ["node", "ls", "--format", "{{.Hostname}}: {{.Ingress}}"]);
  expect(out.split("\n")).toEqual([
    `lb: balancer: 0 of 3 ports open; 8080: ${why}, and 2 more`,
    "open: 2 ports open",
    "plain: ",
    `taken: 1 of 2 ports open; 8080: ${why}`,
    "",
  ]);
  expect((await runOn(mesh, ["node", "ls"])).out.split("\n")[0]).toMatch(/TRANSPORT +INGRESS$/);
});

test("[O137] node inspect --pretty has the reason of each port", async () => {
  await using mesh = await fakeMesh(routes);
  const { out } = await runOn(mesh, ["node", "inspect", "--pretty", "taken"]);
  expect(out).toContain(
    `Engine Labels:\n - waggle.ingress=1 of 2 ports open\n - waggle.ingress.closed.8080=${why}\n`,
  );
});

test("[O137] service ps warns of the machines that cannot open a port of the service", async () => {
  await using mesh = await fakeMesh(routes);
  const { code, err } = await runOn(mesh, ["service", "ps", "web"]);
  expect([code, err]).toEqual([
    0,
    `warning: port 8080 of taken is not open: ${why}\nwarning: port 8080 of lb is not open: ${why}\n`,
  ]);
});

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { joinCommand, nextSteps, restartSummary, shellWord } from "../../../src/local/next-steps.ts";
import { defaultStatsUri } from "../../../src/stats/uri.ts";

const listener = (
  owner: string,
  role: "edge" | "ingress",
  published: number | null,
  openPort: number | null,
) => ({
  key: `${owner} ${published}`,
  address: "127.0.0.2",
  port: published ?? 8000,
  identity: { role, nodeId: null, published },
  owner,
  openPort,
});

const summary = {
  control: "http://127.0.0.1:8787",
  token: "t",
  dashboard: "http://control.localhost:8787/dashboard/sign-in?code=c",
  command: "bin/waggle --state s",
  joinCommand: "bin/waggle agent --join j http://127.0.0.1:8787",
  listeners: [
    listener("balancer", "edge", null, 8000),
    listener("balancer", "edge", 9090, 9090),
    listener("node1", "ingress", 8080, 8080),
    listener("node2", "ingress", 8080, null),
  ],
};

test("[U24] the first start prints what to try, at ports that are open", () => {
  const lines = nextSteps(summary);
  expect(lines).toContain("  curl http://127.0.0.2:8080   # node1");
  expect(lines.some((line) => line.includes("node2"))).toBe(false);
  expect(lines.find((line) => line.includes(defaultStatsUri))).toMatch(
    /^ {2}http:\/\/127\.0\.0\.2:8000\/haproxy/,
  );
});

test("[G68] the first start says what to do if the browser does not resolve control.localhost", () => {
  const lineOf = (dashboard: string) =>
    nextSteps({ ...summary, dashboard }).find((line) => line.includes("code="));
  expect(lineOf(summary.dashboard)).toBe(
    `  ${summary.dashboard}   # if your browser does not find it: 127.0.0.1 in place of control.localhost`,
  );
  const other = "http://192.0.2.1:8787/dashboard/sign-in?code=c";
  expect(lineOf(other)).toBe(`  ${other}`);
});

test("[U128] URLs have IPv6 addresses in brackets, as the way to a dashboard that the browser does not find", () => {
  const listeners = [{ ...listener("balancer", "edge", 9090, 9090), address: "::1" }];
  const lines = nextSteps({ ...summary, control: "http://[::1]:8787", listeners });
  expect(lines.some((line) => line.startsWith("  curl http://[::1]:9090 "))).toBe(true);
  expect(lines).toContain("  export DOCKER_HOST=tcp://[::1]:8787");
  expect(lines.find((line) => line.includes("code="))).toContain("[::1] in place of control.localhost");
});

test("[U24] a later start prints a summary of five lines", () => {
  expect(restartSummary(summary, { kind: "restored" })).toEqual([
    "The mesh is restored, published: 8080, 9090; details: bin/waggle --state s status",
    "Dashboard: http://control.localhost:8787/dashboard/sign-in?code=c",
    "Control API: http://127.0.0.1:8787   token: t",
    "Another node: bin/waggle agent --join j http://127.0.0.1:8787",
    "Ctrl-C stops the mesh; the next start restores its services.",
  ]);
});

test("[U107] the summary of a mesh without its database says what was lost, and how to get it back", () => {
  const left = { nodes: ["node1", "node2"], services: ["api", "web"] };
  const lines = restartSummary(summary, { kind: "lost", database: "s/registry", left });
  expect(lines.slice(0, 4)).toEqual([
    "The mesh is NOT restored: the registry's database in s/registry was removed, or is of another mesh.",
    "Lost: services (tasks of api, web ran here), nodes (node1, node2), static servers, events and counters. Nodes join again as new ones, and tasks that this database does not know are stopped.",
    "To get the mesh back: stop this one, restore s/registry from a backup, and start again.",
    "This mesh: published: 8080, 9090; details: bin/waggle --state s status",
  ]);
});

const joining = {
  program: "bin/waggle",
  control: "http://127.0.0.1:8787",
  joinToken: "j",
  plan: { kind: "own" },
  nodes: 3,
  stateDir: ".waggle",
  listen: "127.0.0.1",
  runtime: "process",
} as const;

test("[U530] the line for another node has a name, an address, a port and a folder that no node of the mesh has", () => {
  const line =
    "bin/waggle agent --join j http://127.0.0.1:8787 --name node4 --address 127.0.0.5 --gateway-port 0 --runtime process --state .waggle-node4";
  expect(joinCommand(joining)).toBe(line);
  expect(nextSteps({ ...summary, joinCommand: line })).toContain(`  ${line}`);
  expect(joinCommand({ ...joining, nodes: 0, runtime: "docker" })).toMatch(
    / --name node1 --address 127\.0\.0\.2 .* --runtime docker --no-discovery --state \.waggle-node1$/,
  );
});

test("[U530] words of the line that a shell would split are quoted, and images are found from any folder", () => {
  const line = joinCommand({ ...joining, stateDir: "/var/it's here", images: "/etc/images.json" });
  expect(line).toMatch(/ --images \/etc\/images\.json --state '\/var\/it'\\''s here-node4'$/);
  const { stdout } = spawnSync("sh", ["-c", `printf %s ${shellWord("/var/it's $here")}`], {
    encoding: "utf8",
  });
  expect(stdout).toBe("/var/it's $here");
});

test("[U530] at an address other than loopback the line names no loopback address, which the registry would not confirm", () => {
  expect(joinCommand({ ...joining, listen: "0.0.0.0" })).not.toContain("--address");
});

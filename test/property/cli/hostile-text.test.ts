// Every view of the command over a mesh whose nodes report text that a terminal could act on.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createProgressWriter } from "../../../src/cli/progress-writer.ts";
import { initialState } from "../../../src/cli/top/keys.ts";
import { buildReading } from "../../../src/cli/top/reading.ts";
import { screenLines } from "../../../src/cli/top/screen.ts";
import { isPrintable, printable, printableJson, printableUpTo } from "../../../src/domain/model/printable.ts";
import type { MeshStatus } from "../../../src/protocol/status.ts";
import { node, port, service, task } from "../../unit/cli/engine-objects.ts";
import { type FakeMesh, fakeMesh, nowMs, type Routes, runOn, serverStatus } from "../../unit/cli/support.ts";

/** Stands for the text from outside in the responses of the mesh. */
const placeholder = "PLACEHOLDER";

const own = node(placeholder, {
  State: "down",
  Message: placeholder,
  Labels: { [placeholder]: placeholder },
});
const machine = {
  ...own,
  Description: {
    ...own.Description,
    Platform: { Architecture: placeholder, OS: placeholder },
    Engine: { EngineVersion: placeholder },
  },
  Status: { ...own.Status, Addr: placeholder },
};
const web = service(placeholder, { image: placeholder, ports: [port(80, 8080)] });
const failed = task("t1", { service: web, slot: 1, node: own, state: "failed", err: placeholder });
const status = {
  mesh: { id: "m", name: placeholder, createdAtMs: 0, tableVersion: 1 },
  nowMs,
  nodes: [
    {
      id: "n1",
      name: placeholder,
      address: placeholder,
      role: "worker",
      state: "down",
      message: placeholder,
      stateSinceMs: nowMs,
      availability: "active",
      leaving: false,
      runtime: "process",
      engineVersion: placeholder,
      platform: { os: placeholder, arch: placeholder },
      resources: { nanoCpus: 1, memoryBytes: 1 },
      running: 0,
    },
  ],
  services: [
    {
      id: "s1",
      name: placeholder,
      image: placeholder,
      mode: "replicated",
      running: 0,
      desired: 1,
      ports: [],
      hosts: [placeholder],
      tasks: [
        {
          id: "t1",
          name: placeholder,
          slot: 1,
          node: placeholder,
          desired: "running",
          state: "running",
          stateSinceMs: nowMs,
          message: placeholder,
          err: placeholder,
          health: {
            verdict: "healthy",
            streak: { ok: true, length: 1 },
            sinceMs: 0,
            lastCheck: placeholder,
            rise: 2,
            fall: 3,
          },
          heard: true,
          haproxy: placeholder,
          endpoints: [{ target: 80, origin: placeholder }],
          pid: 1,
          exitCode: null,
        },
      ],
    },
  ],
  servers: [{ ...serverStatus("s1", placeholder), service: placeholder, lastCheck: placeholder }],
  problems: [{ what: placeholder, why: placeholder, next: placeholder, sinceMs: nowMs }],
} as unknown as MeshStatus;
const explanation = {
  request: { method: "GET", host: placeholder, port: 8080, path: `/${placeholder}` },
  tableVersion: 1,
  entry: { role: "edge", node: null, why: placeholder },
  match: { by: "port", why: placeholder },
  services: [
    { id: "s1", name: placeholder, policy: placeholder, target: 80, mode: "ingress", options: [placeholder] },
  ],
  nodes: [{ id: "n1", name: placeholder, up: true, picked: true, why: placeholder }],
  tasks: [
    { id: "t1", name: placeholder, node: placeholder, origin: placeholder, picked: true, why: placeholder },
  ],
  sending: placeholder,
  response: { by: "task", why: placeholder },
};
const event = {
  seq: 1,
  atMs: nowMs,
  actor: `node ${placeholder}`,
  action: placeholder,
  subject: { type: "node", id: "n1", name: placeholder },
  why: placeholder,
};

const responses: Readonly<Record<string, unknown>> = {
  "GET /nodes": [machine],
  "GET /nodes/n": machine,
  "GET /services": [web],
  "GET /services/s": web,
  "GET /tasks": [failed],
  "GET /servers": [status.servers?.[0]],
  "GET /mesh/servers": [status.servers?.[0]],
  "GET /mesh/status": status,
  "GET /mesh/events": [event],
  "GET /mesh/route": explanation,
  "GET /version": { Version: placeholder, ApiVersion: placeholder },
};

const refusals = ["GET /nodes/refused", "GET /services/refused", "GET /mesh/telemetry"];

/** The command lines of every view, and whether its output is JSON, in which a string may span no lines. */
const views = [
  ["node", "ls"],
  ["node", "ls", "--json"],
  ["node", "ls", "--format", "{{.Hostname}} {{json .}}"],
  ["node", "inspect", "n"],
  ["node", "inspect", "n", "--pretty"],
  ["node", "inspect", "n", "--format", "{{.Status.Message}} {{.Description}} {{json .}}"],
  ["node", "inspect", "refused"],
  ["service", "ls"],
  ["service", "ps", "s"],
  ["service", "ps", "s", "--no-trunc"],
  ["service", "ps", "s", "--format", "{{.Error}}\\t{{.Node}}"],
  ["service", "inspect", "s", "--pretty"],
  ["service", "inspect", "s"],
  ["service", "inspect", "refused"],
  ["server", "ls"],
  ["server", "ls", "--json"],
  ["status"],
  ["status", "--json"],
  ["top", "--once"],
  ["top", "--json"],
  ["events"],
  ["events", "--json"],
  ["trace", "--explain", "http://127.0.0.1:8080/"],
  ["trace", "--explain", "http://127.0.0.1:8080/", "--json"],
  ["version"],
  ["__complete", "--shell", "zsh", "node", "inspect", ""],
] as const;

/** Text that a terminal could act on, with some that is harmless. */
const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x9b31m",
        "\u202e",
        "\u2066",
        "\u200f",
        "\n",
        "\r",
        "\t",
      ),
      fc.constantFrom(
        "\u2028",
        "\u2029",
        "\x7f",
        "\x00",
        "\b",
        "\x85",
        "\u{e0041}",
        "\ufeff",
        "forged line",
        "é",
      ),
      fc.string({ unit: "binary", maxLength: 5 }),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => `x${parts.join("")}x`);

function meshWith(text: string): Promise<FakeMesh> {
  const routes: Record<string, Routes[string]> = {};
  for (const [route, response] of Object.entries(responses)) {
    routes[route] = { json: withText(response, text) };
  }
  for (const route of refusals) routes[route] = { status: 503, json: { message: text } };
  return fakeMesh(routes);
}

/** A copy of plain data with the text in place of the placeholder, in keys and values. */
function withText(value: unknown, text: string): unknown {
  if (typeof value === "string") return value.replaceAll(placeholder, () => text);
  if (Array.isArray(value)) return value.map((item) => withText(item, text));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key.replaceAll(placeholder, () => text),
      withText(item, text),
    ]),
  );
}

test("[L80] no view of the command writes text from nodes that a terminal could act on, or that forges a line", async () => {
  await using harmless = await meshWith("harmless");
  const lineCounts = new Map<readonly string[], number>();
  for (const view of views) {
    const { out, err } = await runOn(harmless, view);
    expect(out + err, view.join(" ")).toContain("harmless");
    lineCounts.set(view, lineCount(out + err));
  }
  const property = fc.asyncProperty(hostileText, async (text) => {
    await using mesh = await meshWith(text);
    for (const view of views) {
      const { out, err } = await runOn(mesh, view);
      const shown = out + err;
      expect(
        isPrintable(shown.replaceAll(/[\n\t]/g, "")),
        `${view.join(" ")}: ${JSON.stringify(shown)}`,
      ).toBe(true);
      expect(lineCount(shown), `${view.join(" ")}: ${shown}`).toBe(lineCounts.get(view));
    }
  });
  await fc.assert(property, { numRuns: 15 });
}, 60_000);

test("[L80] the screen of top and the progress of a service show such text on its own line", () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      const reading = buildReading(withText(status, text) as MeshStatus, null, null, "http://mesh");
      const screen = screenLines(reading, initialState, { columns: 200, rows: 40 });
      expect(screen.every(isPrintable)).toBe(true);
      for (const isTTY of [true, false]) {
        let shown = "";
        const write = (part: string) => {
          shown += part;
        };
        createProgressWriter({ write, isTTY, columns: 80 }).show([text]);
        expect(shown).toBe(isTTY ? `\x1b[2K${printable(text)}\n` : `${printable(text)}\n`);
      }
    }),
  );
});

test("[N72] text that an agent sends is accepted and within its limit, whatever it quotes", () => {
  fc.assert(
    fc.property(hostileText, fc.integer({ min: 0, max: 20 }), (text, maxLength) => {
      const sent = printableUpTo(`${text}🐝`, maxLength);
      expect([isPrintable(sent), sent.length <= maxLength]).toEqual([true, true]);
    }),
  );
});

test("[L81] JSON for programs has the values as the mesh sent them", async () => {
  const property = fc.asyncProperty(hostileText, async (text) => {
    expect(JSON.parse(printableJson(JSON.stringify({ [text]: text }, null, 2)))).toEqual({ [text]: text });
    await using mesh = await meshWith(text);
    const { out } = await runOn(mesh, ["node", "inspect", "n"]);
    expect(JSON.parse(out)[0].Status.Message).toBe(text);
  });
  await fc.assert(property, { numRuns: 20 });
});

test("[L80] what a terminal could act on is written as an escape, and other text as it is", () => {
  expect(printable("a\x1b[2Jb\n\r\t\x9b\u202e\u{e0041}é🐝")).toBe(
    "a\\x1b[2Jb\\n\\r\\t\\x9b\\u202e\\u{e0041}é🐝",
  );
});

function lineCount(text: string): number {
  return text.split("\n").length;
}

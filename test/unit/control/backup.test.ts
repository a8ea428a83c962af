import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { maxSealedLength, openPart, sealPart } from "../../../src/protocol/backup.ts";
import { newestStep } from "../../../src/registry/backup-store.ts";
import { TestControl, viewerToken } from "./support.ts";

const secret = Buffer.from("hunter2 opens it").toString("base64");

const lines = [
  "POST /mesh/backup",
  "GET /mesh/backup/a/0",
  "DELETE /mesh/backup/a",
  "POST /mesh/restore",
  "PUT /mesh/restore/a/0",
  "POST /mesh/restore/a",
  "DELETE /mesh/restore/a",
];

test.each(lines)("[M243] %s is for operators", async (line) => {
  const control = new TestControl();
  const text = line.startsWith("GET") ? {} : { text: "{}" };
  expect((await control.ask(line, { token: viewerToken, ...text })).status).toBe(403);
  expect((await control.ask(line, { token: null, ...text })).status).toBe(401);
  expect(control.mesh.events("mesh.backup")).toEqual([]);
});

test("[M242] the routes carry sealed parts only, which no cache keeps", async () => {
  const control = new TestControl();
  await control.ask("POST /secrets/create", { body: { Name: "password", Labels: {}, Data: secret } });
  const { status, json: started } = await control.ask("POST /mesh/backup");
  expect(status).toBe(201);
  const tables = new Set<string>();
  for (let number = 0; number < started.parts; number += 1) {
    const { text, headers } = await control.ask(`GET /mesh/backup/${started.id}/${number}`);
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(text).not.toContain(secret);
    expect(headers.get("cache-control")).toBe("no-store");
    const bytes = openPart(text, control.mesh.sealSecret, { transfer: started.id, number });
    tables.add(JSON.parse(gunzipSync(bytes ?? "").toString()).table);
  }
  expect(tables).toContain("dependency_data");
  expect((await control.ask(`DELETE /mesh/backup/${started.id}`)).status).toBe(204);
  expect((await control.ask(`GET /mesh/backup/${started.id}/0`)).status).toBe(404);
});

test("[M246] a restore by the routes: what cannot be read is refused, and nothing changes", async () => {
  const control = new TestControl(0);
  const body = { step: newestStep, parts: 1, replace: false };
  const { json: started } = await control.ask("POST /mesh/restore", { body });
  const route = `/mesh/restore/${started.id}`;
  expect((await control.ask("POST /mesh/restore", { body: { ...body, parts: 0 } })).status).toBe(400);
  expect((await control.ask("POST /mesh/restore", { body: { ...body, parts: 1e9 } })).status).toBe(400);
  expect((await control.ask("POST /mesh/restore", { body: { ...body, step: newestStep + 1 } })).status).toBe(
    400,
  );
  expect((await control.ask(`PUT ${route}/x`, { text: "a" })).status).toBe(400);
  expect((await control.ask(`PUT ${route}/0`, { text: "a" })).status).toBe(400);
  expect((await control.ask(`PUT ${route}/0`, { text: "a".repeat(maxSealedLength + 1) })).status).toBe(413);
  // 64 MiB of zeros in 64 KiB.
  const bomb = sealPart(
    gzipSync(Buffer.alloc(64 * 1_048_576)),
    control.mesh.sealSecret,
    { transfer: started.id, number: 0 },
    "random",
  );
  expect((await control.ask(`PUT ${route}/0`, { text: bomb })).status).toBe(204);
  const source = { mesh: "old", atMs: control.mesh.nowMs, version: "0.1.0" };
  const commit = { replace: false, returnMs: 0, source };
  expect((await control.ask(`POST ${route}`, { body: { ...commit, returnMs: 1e12 } })).status).toBe(400);
  const refused = await control.ask(`POST ${route}`, { body: commit });
  expect([refused.status, refused.json.message]).toEqual([400, "part 0 of the backup cannot be read"]);
  expect(control.mesh.registry.info()).toMatchObject({ name: "test", services: 0 });
});

import { expect, test } from "vitest";
import { BackupSummary } from "../../../src/cli/backup/summary.ts";

/** The summary of rows with these bodies. */
function summaryOf(table: "services" | "servers", bodies: readonly (object | string | number | null)[]) {
  const rows = bodies.map((body, at) => {
    const text = typeof body === "object" && body !== null ? JSON.stringify(body) : body;
    return [`id${at}`, `web${at}`, text];
  });
  const summary = new BackupSummary();
  summary.add({ table, columns: ["id", "name", "body"], rows });
  return summary;
}

test("[L174] credentials are lost only where a service has them sealed", () => {
  const { unreadable } = summaryOf("services", [
    { sealedAuth: "sealed", labels: {} },
    { labels: { sealedAuth: "a label" } },
    { labels: { note: '"sealedAuth"' }, run: { env: { sealedAuth: "x" } } },
    { sealedAuth: null },
    { openedAuth: "opened", previous: { labels: { sealedAuth: "a label" } } },
    { openedAuth: "opened", previous: { sealedAuth: "sealed" } },
    { previous: null },
  ]);
  expect(unreadable).toEqual([
    "the registry credentials of the service web0",
    "the registry credentials of the service web5",
  ]);
});

test("[L174] a body that is nothing known is counted, and has no name", () => {
  const odd = [null, "null", "{", 5, "[]", '{"spec":null}', '{"spec":{"name":5}}'];
  expect(summaryOf("services", odd).unreadable).toEqual([]);
  const { contents } = summaryOf("servers", [...odd, { spec: { name: "legacy" } }]);
  expect(contents.servers).toEqual([...odd.map(() => ""), "legacy"]);
});

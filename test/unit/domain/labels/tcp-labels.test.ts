import { expect, test } from "vitest";
import { optionsOf } from "../../../../src/domain/labels/balance-labels.ts";
import { checkLabels, knownLabels } from "../../../../src/domain/labels/labels.ts";
import { tcpLabels } from "../../../../src/domain/labels/tcp-labels.ts";

const tcp = { "waggle.mode": "tcp" };

test("[O160] waggle.mode is tcp or http, and labels set the PROXY protocol and the idle timeout of mode tcp", () => {
  expect(optionsOf({})).toBeNull();
  expect(optionsOf({ "waggle.mode": "http" })).toBeNull();
  expect(optionsOf(tcp)).toEqual({ mode: "tcp" });
  const labels = { ...tcp, "waggle.send-proxy": "v2", "waggle.idle-timeout": "10m", "waggle.maxconn": "5" };
  checkLabels(labels);
  expect(optionsOf(labels)).toEqual({ mode: "tcp", sendProxy: "v2", idleTimeoutMs: 600_000, maxconn: 5 });
  expect(optionsOf({ ...tcp, "waggle.idle-timeout": "0" })).toMatchObject({ idleTimeoutMs: 0 });
});

test.each([
  [{ "waggle.mode": "udp" }, "label 'waggle.mode' is 'udp': write tcp or http"],
  [{ ...tcp, "waggle.send-proxy": "yes" }, "is 'yes': write v1 or v2"],
  [{ ...tcp, "waggle.idle-timeout": "soon" }, "write a duration such as 500ms, 30s or 5m"],
])("[O160] a value that cannot be read is refused with what would work: %j", (labels, message) => {
  expect(() => checkLabels(labels)).toThrow(message);
});

test.each([
  [
    { "waggle.host": "db.example.com" },
    "label 'waggle.host' needs waggle.mode=http: in mode tcp nothing reads",
  ],
  [{ "waggle.path": "db.example.com/x" }, "'waggle.path' needs waggle.mode=http"],
  [{ "waggle.at": "web", "waggle.path": "/x" }, "waggle.mode=http"],
  [{ "waggle.default": "true" }, "'waggle.default' needs waggle.mode=http"],
  [{ "waggle.sticky": "c" }, "use waggle.balance=source"],
  [{ "waggle.canary": "next", "waggle.canary.header": "x-next" }, "waggle.mode=http"],
  [{ "waggle.body-timeout": "5s" }, "use waggle.idle-timeout"],
  [{ "waggle.balance": "hdr(x-user)" }, "'hdr(x-user)', which reads requests"],
  [{ "waggle.balance": "uri" }, "write roundrobin, leastconn, random or source"],
  [{ "waggle.balance": "path" }, "write roundrobin, leastconn, random or source"],
  [{ "waggle.balance": "cookie(c)" }, "write roundrobin, leastconn, random or source"],
])("[O161] a label that needs HTTP is refused in mode tcp: %j", (labels, message) => {
  expect(() => checkLabels({ ...labels, ...tcp })).toThrow(message);
});

test("[O161] labels of mode tcp are refused without it, and every label has its mode", () => {
  for (const label of ["waggle.send-proxy", "waggle.idle-timeout"]) {
    expect(() => checkLabels({ [label]: label === "waggle.send-proxy" ? "v1" : "5s" })).toThrow(
      `label '${label}' needs 'waggle.mode=tcp'`,
    );
  }
  const balanced = [
    "waggle.balance",
    "waggle.maxconn",
    "waggle.queue",
    "waggle.queue-timeout",
    "waggle.slowstart",
  ];
  const both = new Set([
    ...tcpLabels,
    ...balanced,
    "waggle.weight",
    "waggle.backup",
    "waggle.allbackups",
    "waggle.probe",
  ]);
  for (const label of knownLabels.filter((name) => !both.has(name))) {
    expect(() => checkLabels({ ...tcp, [label]: "x" }), label).toThrow("needs waggle.mode=http");
  }
});

import { expect, test } from "vitest";
import { workerdStartError } from "../../../src/local/workerd-start-error.ts";

/** Recorded from Miniflare 5.20261117. */
const failed =
  "The Workers runtime failed to start. There was likely a problem with the workerd binary or your configuration.\nRuntime stderr:\n";
const line = (message: string) =>
  `{"timestamp":"1795930989583","level":"error","source":"src/workerd/server/server/entry.rs:170","message":"${message}","context_depth":0}`;
const noCertificates =
  "service internet: TLS configuration: unexpected error: No CA certificates were loaded from the system";

test.each([
  [
    failed + line(noCertificates),
    1,
    "workerd did not start: it found no certificates of public authorities on this machine: install the package ca-certificates",
  ],
  [
    `${failed}${line("service a: first")}\n${line("service b: second")}`,
    1,
    "workerd did not start: service a: first; service b: second",
  ],
  ["write EPIPE", 127, "workerd did not start (exited with 127): see the newest file in /var/lib/waggle/log"],
  [
    `${failed}{"level":1}\n{not JSON`,
    "SIGSEGV",
    "workerd did not start (exited with SIGSEGV): see the newest file in /var/lib/waggle/log",
  ],
  ["timed out", null, "workerd did not start: timed out"],
])("[U545] the error %j with exit %j is explained", (message, exit, text) => {
  expect(workerdStartError(message, exit, "/var/lib/waggle/log")).toBe(text);
});

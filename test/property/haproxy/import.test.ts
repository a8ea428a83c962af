import fc from "fast-check";
import { expect, test } from "vitest";
import { validateServer } from "../../../src/domain/validate-server.ts";
import { importConfig } from "../../../src/haproxy/import.ts";

const word = fc.constantFrom(
  ...[
    "server",
    "a",
    "10.0.0.1:80",
    "check",
    "inter",
    "2s",
    "bind",
    ":8080",
    "mode",
    "http",
    "option",
    "httpchk",
  ],
  ...[
    "acl",
    "x",
    "hdr(host)",
    "www.example.com",
    "use_backend",
    "if",
    "{",
    "}",
    "!",
    "||",
    "default_backend",
    "b",
  ],
  ...[
    "cookie",
    "S",
    "insert",
    "http-check",
    "expect",
    "status",
    "200",
    "timeout",
    "queue",
    "backend",
    "frontend",
  ],
  ...[
    "listen",
    "defaults",
    "global",
    "balance",
    "leastconn",
    "weight",
    "300",
    "maxconn",
    "-1",
    "'",
    '"',
    "\\",
    "#",
  ],
  ...[
    "disabled",
    "slowstart",
    "port",
    "default-server",
    "no",
    "tcp-check",
    "send",
    "hdr",
    "[::1]:80",
    "$X",
    "${",
    "-m",
  ],
);
const line = fc
  .array(fc.oneof(word, fc.string({ maxLength: 8 })), { maxLength: 8 })
  .map((words) => words.join(" "));

test("[I3] a file is read whole or its lines are named, whatever stands in it", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      const { services, remarks, errors } = importConfig(lines.join("\n"), {});
      for (const { line: at } of [...errors, ...remarks]) {
        expect(at).toBeGreaterThanOrEqual(1);
        expect(at).toBeLessThanOrEqual(lines.join("\n").split("\n").length);
      }
      for (const { servers } of services) for (const { spec } of servers) validateServer(spec);
    }),
    { numRuns: 500 },
  );
});

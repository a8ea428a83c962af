import fc from "fast-check";
import { expect, test } from "vitest";
import { checkLabels } from "../../../src/domain/labels/labels.ts";
import { validateServer } from "../../../src/domain/validate/server.ts";
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
    "path_beg",
    "path",
    "/api",
    "unless",
    "TRUE",
    "allbackups",
    "backup",
    "$X",
    "${",
    "-m",
  ],
);
const line = fc
  .array(fc.oneof(word, fc.string({ maxLength: 8 })), { maxLength: 8 })
  .map((words) => words.join(" "));

test("[I3] any text is read, or its unreadable lines are named", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      const { services, diagnostics, errors } = importConfig(lines.join("\n"), {});
      for (const { line: lineNumber } of [...errors, ...diagnostics]) {
        expect(lineNumber).toBeGreaterThanOrEqual(1);
        expect(lineNumber).toBeLessThanOrEqual(lines.join("\n").split("\n").length);
      }
      for (const { servers, labels } of services) {
        checkLabels(labels);
        for (const { spec } of servers) validateServer(spec);
      }
    }),
    { numRuns: 500 },
  );
});

test("[I3] any conditions of a frontend become valid labels", () => {
  const term = fc.constantFrom(
    ...[
      "a",
      "!a",
      "b",
      "||",
      "or",
      "TRUE",
      "FALSE",
      "{ path_beg /api }",
      "!{ path /api/x }",
      "{ path_beg / }",
    ],
    ...[
      "{ hdr(host) a.b }",
      "{ hdr(host) -i C.D e.f }",
      "{ hdr(host) a_b }",
      "{ path_beg a,b }",
      "{ src 1.1.1.1 }",
    ],
  );
  const to = fc.constantFrom("x", "y", "z", "none");
  const use = fc
    .tuple(to, fc.constantFrom("if", "unless", "if"), fc.array(term, { minLength: 1, maxLength: 4 }))
    .map(([name, word, terms]) => ` use_backend ${name} ${word} ${terms.join(" ")}`);
  const frontend = fc.record({ uses: fc.array(use, { maxLength: 4 }), rest: fc.option(to) });
  fc.assert(
    fc.property(fc.array(frontend, { minLength: 1, maxLength: 3 }), (frontends) => {
      const lines = frontends.flatMap(({ uses, rest }, index) => [
        `frontend f${index}\n bind :8${index}\n acl a path_beg /api/x /img\n acl b hdr(host) a.b`,
        ...uses,
        ...(rest === null ? [] : [` default_backend ${rest}`]),
      ]);
      const backends = ["x", "y", "z"].map((name) => `backend ${name}\n server s 10.0.0.1:80`);
      const text = ["defaults\n mode http", ...lines, ...backends, "backend none"].join("\n");
      const { services } = importConfig(text, {});
      const portsAndHosts = services.flatMap(({ ports, labels }) => {
        checkLabels(labels);
        return [...ports.map(String), ...(labels["waggle.host"]?.split(",") ?? [])];
      });
      expect(new Set(portsAndHosts).size).toBe(portsAndHosts.length);
    }),
    { numRuns: 500 },
  );
});

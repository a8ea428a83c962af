import { expect, test } from "vitest";
import { compileTable } from "../../../../src/domain/compile/compile-table.ts";
import { printPathRule } from "../../../../src/domain/table/path-rule.ts";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { verdict } from "../../../support/labels.ts";
import { aNode, aService, aWorld } from "../../../support/world.ts";

/** The host names and path rules in the table of a service with these labels. */
function compiled(labels: Record<string, string>) {
  const table = compileTable(aWorld([aNode()], [aService({ labels })], []), 1);
  expect(readTable(printTable(table))).toEqual(table);
  const [service] = table.services;
  const { at, rules } = service?.options?.paths ?? {};
  return { hosts: service?.hosts, at, rules: rules?.map(printPathRule) };
}

test("[X94] labels set a service's path rules and the services or host names they apply to", () => {
  const host = { "waggle.host": "b.example.com,a.example.com" };
  expect(
    compiled({ "waggle.path": "/api, =/healthz,/api,WWW.example.com/v2", "waggle.at": "shop,app" }),
  ).toEqual({
    hosts: [],
    at: ["app", "shop"],
    rules: ["=/healthz", "/api", "www.example.com/v2"],
  });
  // With waggle.at its host names lead to it at every path; without, only at its own paths.
  expect(compiled({ ...host, "waggle.path": "/api", "waggle.at": "app" })).toMatchObject({
    hosts: ["a.example.com", "b.example.com"],
    rules: ["/api"],
  });
  expect(compiled({ ...host, "waggle.path": "/api,c.example.com/" })).toEqual({
    hosts: [],
    at: [],
    rules: ["a.example.com/api", "b.example.com/api", "c.example.com/"],
  });
  expect(compiled({ ...host, "waggle.path": "c.example.com/" }).hosts).toHaveLength(2);
});

test.each([
  [
    { "waggle.path": "api", "waggle.at": "app" },
    "label 'waggle.path' has 'api': write a path prefix as /api",
  ],
  [{ "waggle.path": "/a?b", "waggle.at": "app" }, "label 'waggle.path' has '/a?b'"],
  [{ "waggle.path": "/a,", "waggle.at": "app" }, "label 'waggle.path' has ''"],
  [{ "waggle.path": "-x.example.com/", "waggle.at": "app" }, "label 'waggle.path' has '-x.example.com/'"],
  [{ "waggle.path": "/api", "waggle.at": "a b" }, "label 'waggle.at' has 'a b': write service names"],
  [
    { "waggle.path": "/api" },
    "label 'waggle.path' needs 'waggle.at', the service whose requests it takes, or",
  ],
  [{ "waggle.at": "app" }, "label 'waggle.at' needs 'waggle.path', the paths it takes of app"],
])("[X94] invalid labels are refused with what would work: %j", (labels, message) => {
  expect(verdict(labels as Record<string, string>)).toContain(message);
});

test.each([
  ["/x/../admin", "write /admin"],
  ["/x/./", "write /x/"],
  ["=/x/..", "write =/"],
  ["www.example.com/%2E%2e/x", "write www.example.com/x"],
  ["/a\\b", "write /a/b"],
])("[X123] a path rule that no request can match is refused: %s", (rule, advice) => {
  const message = verdict({ "waggle.at": "app", "waggle.path": `/fine,${rule}` });
  expect(message).toContain(`has '${rule}', which no request matches`);
  expect(message).toContain(advice);
});

test("[X123] a rule for hidden files or with characters that a URL encodes is accepted", () => {
  for (const rule of ["/.", "/.git", "/a/..", "/v1/{id}", "=/a^b", "/%2e"]) {
    expect([rule, verdict({ "waggle.at": "app", "waggle.path": rule })]).toEqual([rule, "fine"]);
  }
});

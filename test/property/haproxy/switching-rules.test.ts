import fc from "fast-check";
import { expect, test } from "vitest";
import { byPrecedence, matchesPath, type PathRule } from "../../../src/domain/table/path-rule.ts";
import type { AclCondition } from "../../../src/haproxy/condition.ts";
import { resolveSwitchingRules } from "../../../src/haproxy/switching-rules.ts";
import { Routes } from "../../../src/proxy/routing/routes.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";

const hosts = ["a.example.com", "b.example.com", "c.example.com"];
const path = fc
  .array(fc.constantFrom("a", "b", "/"), { maxLength: 4 })
  .map((letters) => `/${letters.join("")}`);
const rule: fc.Arbitrary<PathRule> = fc.oneof(
  fc.record({ host: fc.constant(null), path, exact: fc.boolean() }),
  fc.record({ host: fc.constantFrom(...hosts), path: fc.constant("/"), exact: fc.constant(false) }),
);
const term = fc.record({ rules: fc.array(rule, { maxLength: 3 }), isNegated: fc.boolean() });
const condition: fc.Arbitrary<AclCondition> = fc.record({
  alternatives: fc.array(fc.array(term, { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
  isNegated: fc.boolean(),
});
const backends = ["app", "api", "img", "new"];
const choices = fc.array(fc.record({ condition, to: fc.constantFrom(...backends) }), { maxLength: 5 });
const request = fc.record({ host: fc.constantFrom(...hosts, "else.example.com"), path });

/** Evaluates a condition as HAProxy does. */
function matchesCondition(
  { alternatives, isNegated }: AclCondition,
  { host, path }: { host: string; path: string },
): boolean {
  const matches = (rule: PathRule) => (rule.host === null || rule.host === host) && matchesPath(rule, path);
  const hasMatch = alternatives.some((conjunction) =>
    conjunction.every((term) => term.rules.some(matches) !== term.isNegated),
  );
  return hasMatch !== isNegated;
}

test("[I20] the mesh's rules route every request to the backend of the first matching condition", () => {
  fc.assert(
    fc.property(choices, fc.array(request, { minLength: 1, maxLength: 20 }), (list, requests) => {
      const resolved = resolveSwitchingRules(list, "app");
      if (resolved === null) throw new Error("too many rules");
      const { rest, rules } = resolved;
      const services = backends.map((name, index) => {
        const own = rules.filter(({ to }) => to === name).map((entry) => entry.rule);
        const options = { paths: { at: [rest], rules: own.sort(byPrecedence) } };
        return serviceOf(name, 8080 + index, ["http://a"], own.length === 0 ? {} : { options });
      });
      const routes = new Routes(tableOf(1, ...services));
      for (const { host, path } of requests) {
        const first = list.find((choice) => matchesCondition(choice.condition, { host, path }));
        const expected = first?.to ?? "app";
        const port = 8080 + backends.indexOf(rest);
        const match = routes.match({ port, host, path: `${path}?q` });
        expect(match?.routes[0].service.name).toBe(expected);
      }
    }),
    { numRuns: 500 },
  );
});

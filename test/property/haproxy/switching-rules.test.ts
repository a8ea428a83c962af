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

/** What HAProxy does: the first condition that holds decides. */
function firstThatHolds(
  { alternatives, isNegated }: AclCondition,
  { host, path }: { host: string; path: string },
): boolean {
  const holds = (one: PathRule) => (one.host === null || one.host === host) && matchesPath(one, path);
  const isOne = alternatives.some((all) => all.every((one) => one.rules.some(holds) !== one.isNegated));
  return isOne !== isNegated;
}

test("[I20] the mesh's rules give every request the answer of the first condition that holds", () => {
  fc.assert(
    fc.property(choices, fc.array(request, { minLength: 1, maxLength: 20 }), (list, requests) => {
      const decided = resolveSwitchingRules(list, "app");
      if (decided === null) throw new Error("there were too many");
      const { rest, rules } = decided;
      const services = backends.map((name, index) => {
        const own = rules.filter(({ to }) => to === name).map((one) => one.rule);
        const options = { paths: { at: [rest], rules: own.sort(byPrecedence) } };
        return serviceOf(name, 8080 + index, ["http://a"], own.length === 0 ? {} : { options });
      });
      const routes = new Routes(tableOf(1, ...services));
      for (const { host, path } of requests) {
        const expected = list.find((one) => firstThatHolds(one.condition, { host, path }))?.to ?? "app";
        const port = 8080 + backends.indexOf(rest);
        const match = routes.match({ port, host, path: `${path}?q` });
        expect(match?.routes[0].service.name).toBe(expected);
      }
    }),
    { numRuns: 500 },
  );
});

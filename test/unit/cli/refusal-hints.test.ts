import { expect, test } from "vitest";
import { fakeMesh, runOn } from "./support.ts";

test.each([
  ["update out of sequence", "another change came first: run the command again"],
  ["node abc is not down and can't be removed", "stop its agent there, or --force, which stops its tasks"],
  [
    "constraint expected one operator from ==, !=",
    "write it as node.labels.zone==a, or with != in place of ==",
  ],
  ["name must be valid as a DNS name component", "letters, digits and -, as in my-web"],
])("[U588] the refusal %j is followed by what would work", async (words, hint) => {
  const message = `rpc error: code = InvalidArgument desc = ${words}`;
  await using mesh = await fakeMesh({ "POST /services/create": { status: 400, json: { message } } });
  const { code, err } = await runOn(mesh, ["service", "create", "--name", "a", "waggle/whoami"]);
  expect({ code, err }).toEqual({ code: 1, err: `waggle: ${words}\n${hint}\n` });
});

test("[U588] a refusal that says what would work stays as it is", async () => {
  const message = "label 'waggle.sticy' is unknown: did you mean waggle.sticky?";
  await using mesh = await fakeMesh({ "POST /services/create": { status: 400, json: { message } } });
  const { err } = await runOn(mesh, ["service", "create", "--name", "a", "waggle/whoami"]);
  expect(err).toBe(`waggle: ${message}\n`);
});
